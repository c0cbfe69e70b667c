"""SendGrid's Event Webhook: many events at once, signed over the bytes of the body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.outreach.events.deliveries import Incoming
from pipeline.web.webhooks.answers import Refusal, body_of, malformed
from pipeline.web.webhooks.outreach_intake import outreach_intake

PATH = "/webhooks/sendgrid/events"
MOST_BODY_BYTES = 5 * 2**20
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
#: Their clock may be ahead of ours by so much.
_AHEAD_SECONDS = 300
_LONGEST_TIMESTAMP = 20


async def take_in(request: Request) -> str:
    """Take in events; returns the outcome that they are counted as.  Raises Refusal."""
    keys = _keys()
    signature, stamp = _header(request, SIGNATURE), _header(request, TIMESTAMP)
    _check_age(stamp)
    body = await body_of(request, MOST_BODY_BYTES)
    await run_in_threadpool(_check, keys, signature, stamp, body)
    signed = stamp.encode() + body
    return await outreach_intake().take(Incoming("sendgrid", "events", signed, body))


def _keys() -> list[ec.EllipticCurvePublicKey]:
    try:
        keys = public_keys(settings().sendgrid_webhook_public_keys)
    except Misconfigured as error:
        raise Refusal(503, "misconfigured", f"{error}.") from None
    if not keys:
        detail = "SENDGRID_WEBHOOK_PUBLIC_KEYS is empty, so nothing can be verified."
        raise Refusal(503, "misconfigured", detail)
    return keys


@lru_cache(maxsize=4)
def public_keys(listed: str) -> list[ec.EllipticCurvePublicKey]:
    """Return the keys of SENDGRID_WEBHOOK_PUBLIC_KEYS.  Raises Misconfigured for one that is none.

    Several may be set, so that a new one is taken before SendGrid signs with it.
    """
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    return [_public_key(entry, position) for position, entry in enumerate(entries, start=1)]


def _public_key(encoded: str, position: int) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(encoded, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Misconfigured(
            f"SENDGRID_WEBHOOK_PUBLIC_KEYS: key {position} is no public key of SendGrid's"
        )
    return key


def _header(request: Request, name: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        raise Refusal(401, "forged", f"{name} is missing.")
    return value


def _check_age(stamp: str) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_TIMESTAMP):
        raise Refusal(403, "forged", f"{TIMESTAMP} is not a time in seconds.")
    age = time.time() - int(stamp)
    if age > settings().sendgrid_webhook_max_age_seconds:
        raise Refusal(403, "stale", f"{TIMESTAMP} is too long ago.")
    if age < -_AHEAD_SECONDS:
        raise Refusal(403, "stale", f"{TIMESTAMP} is in the future.")


def _check(keys: list[ec.EllipticCurvePublicKey], signature: str, stamp: str, body: bytes) -> None:
    """Raise Refusal unless one of the keys has signed the body, and it is a list."""
    signed = stamp.encode() + body
    try:
        sealed = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(403, "forged", f"{SIGNATURE} is not base64.") from None
    if not any(_has_signed(key, sealed, signed) for key in keys):
        raise Refusal(403, "forged", f"{SIGNATURE} does not hold for this body.")
    try:
        is_list = isinstance(json.loads(body), list)
    except (ValueError, RecursionError):
        raise malformed("The body is not JSON.") from None
    if not is_list:
        raise malformed("$: The body is not a list of events.")


def _has_signed(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
