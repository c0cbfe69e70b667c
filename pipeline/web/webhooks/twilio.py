"""Twilio's webhooks: what became of an SMS, and what is sent to a sender's number.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl

from pymongo.errors import PyMongoError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from models.outreach import SenderIdentity
from pipeline.config import public_base_url, settings
from pipeline.errors import Misconfigured, Transient
from pipeline.outreach.credentials import decrypted
from pipeline.outreach.events.deliveries import Incoming
from pipeline.stores import Row, collection
from pipeline.web.webhooks.answers import Refusal, Taken, body_of, malformed
from pipeline.web.webhooks.intake import later
from pipeline.web.webhooks.outreach_intake import outreach_intake

STATUS_PATH = "/webhooks/twilio/{sender_id}/status"
INBOUND_PATH = "/webhooks/twilio/{sender_id}/inbound"
SIGNATURE = "X-Twilio-Signature"
_MOST_BODY_BYTES = 64 * 1024
_LONGEST_MESSAGE_ID = 64
#: Says that nothing is to be sent back.
_NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


async def status(request: Request) -> str:
    """Take in what became of a message; returns the outcome.  Raises Refusal."""
    message_id = request.query_params.get("message", "")
    if len(message_id) > _LONGEST_MESSAGE_ID:
        raise malformed(f"message: It is longer than {_LONGEST_MESSAGE_ID} characters.")
    body, signed = await _verified(request)
    sender_id = request.path_params["sender_id"]
    delivery = Incoming("twilio", "status", signed, body, sender_id, message_id)
    return await outreach_intake().take(delivery)


async def inbound(request: Request) -> Taken:
    """Take in what somebody has sent to a sender's number.  Raises Refusal."""
    body, signed = await _verified(request)
    delivery = Incoming("twilio", "inbound", signed, body, request.path_params["sender_id"])
    outcome = await outreach_intake().take(delivery)
    return Taken({outcome: 1}, Response(_NO_ANSWER, media_type="text/xml"))


async def _verified(request: Request) -> tuple[bytes, bytes]:
    """Return the body, and what was signed: the address and all fields, by name."""
    given = request.headers.get(SIGNATURE, "")
    if not given:
        raise Refusal(401, "forged", f"{SIGNATURE} is missing.")
    body = await body_of(request, _MOST_BODY_BYTES)
    secret = await run_in_threadpool(_secret, request.path_params["sender_id"])
    signed = _signed(request, body)
    expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha1))
    if not hmac.compare_digest(expected, given.encode("utf-8", "replace")):
        raise Refusal(403, "forged", f"{SIGNATURE} does not hold for this address and body.")
    return body, signed


def _signed(request: Request, body: bytes) -> bytes:
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path, query = raw_path.partition(b"?")[0].decode("latin-1"), request.url.query
    address = f"{public_base_url()}{path}" + (f"?{query}" if query else "")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError):
        raise malformed("The body is not a form.") from None
    return (address + "".join(name + value for name, value in sorted(set(fields)))).encode()


def _secret(sender_id: str) -> bytes:
    """Return the auth token that a sender's account signs with.  Raises Refusal."""
    try:
        sender = collection(SenderIdentity).find_one({"_id": sender_id, "provider": "twilio"})
        token = _token(sender) if sender else ""
    except (PyMongoError, Transient):
        raise later("unavailable", "It could not be verified just now.") from None
    except Misconfigured as error:
        raise Refusal(503, "misconfigured", f"{error}.") from None
    if sender is None:
        raise Refusal(404, "unknown", "There is no such sender.")
    if not token:
        detail = "TWILIO_AUTH_TOKEN is empty, and the sender has none of its own."
        raise Refusal(503, "misconfigured", detail)
    return token.encode()


def _token(sender: Row) -> str:
    own = decrypted(sender)
    return own["auth_token"] if own else settings().twilio_auth_token.get_secret_value()
