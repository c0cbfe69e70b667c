"""Is it Pub/Sub that pushes?  It shows a token that Google has signed for our service account.

https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import requests
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from pipeline.config import settings
from pipeline.push.google_gmail import PATH
from pipeline.web.webhooks.answers import Refusal

log = logging.getLogger(__name__)

_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
#: How wrong Google's clock and ours may be together.
_LEEWAY_SECONDS = 30
#: Google announces a new key long before it uses it.
_FRESH_SECONDS = 3600.0
#: A key that nobody knows is asked for at most this often, whatever is sent.
_LEAST_SECONDS = 300.0
#: What could not be fetched is tried again sooner.
_FAILED_SECONDS = 10.0
_FETCH_SECONDS = 5.0
#: The library takes a token apart before it knows whose it is.
_STUMBLES = (GoogleAuthError, AttributeError, KeyError, TypeError, ValueError)


class Certificates:
    """Google's certificates by key id, fetched now and then, and never by two at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: Mapping[str, str] = {}
        self._fetched_at = -_FRESH_SECONDS
        self._next_fetch_at = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="certificates")

    async def with_key(self, key_id: str) -> Mapping[str, str]:
        """Return all certificates, among them that of `key_id` if Google has it."""
        if self._wanted(key_id):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._fetch, key_id)
        return self._known

    def _wanted(self, key_id: str) -> bool:
        now = time.monotonic()
        missing = key_id not in self._known or now - self._fetched_at > _FRESH_SECONDS
        return missing and now >= self._next_fetch_at

    def _fetch(self, key_id: str) -> None:
        if not self._wanted(key_id):
            return  # somebody has just done it
        wait_seconds = _FAILED_SECONDS
        try:
            with requests.Session() as session:
                answer = session.get(self._url, timeout=_FETCH_SECONDS)
            answer.raise_for_status()
            found = answer.json()
            self._known = {str(name): str(text) for name, text in found.items()}
            self._fetched_at = time.monotonic()
            wait_seconds = _LEAST_SECONDS
        except (requests.RequestException, ValueError, AttributeError) as error:
            log.warning("certificates not fetched", extra={"reason": type(error).__name__})
        self._next_fetch_at = time.monotonic() + wait_seconds


@cache
def _certificates(url: str) -> Certificates:
    return Certificates(url)


async def check_sender(authorization: str) -> None:
    """Raise Refusal unless this header shows a token of Pub/Sub's for us."""
    account = settings().google_pubsub_service_account
    if not account:
        raise Refusal(503, "unavailable", "Gmail's push is not set up here.")
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise _forged("There is no bearer token.")
    known = await _certificates(settings().google_certs_url).with_key(_key_id(token))
    if not known:
        raise Refusal(503, "unavailable", "Google's certificates are not known yet.")
    claims = _claims(token, known)
    if claims.get("iss") not in _ISSUERS:
        raise _forged("iss is not Google.")
    if claims.get("email") != account or claims.get("email_verified") is not True:
        raise _forged("email is not the service account that pushes here.")


def _key_id(token: str) -> str:
    try:
        key_id = jwt.decode_header(token)["kid"]  # type: ignore[no-untyped-call]
    except _STUMBLES:
        raise _forged("The bearer token is not a JWT that names its key.") from None
    if not isinstance(key_id, str):
        raise _forged("The bearer token names no key.")
    return key_id


def _claims(token: str, known: Mapping[str, str]) -> Mapping[str, Any]:
    audience = settings().google_pubsub_audience or settings().public_base_url + PATH
    try:
        claims: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call]
            token, known, audience=audience, clock_skew_in_seconds=_LEEWAY_SECONDS
        )
    except _STUMBLES:
        raise _forged("The token's signature, aud, iat or exp does not hold.") from None
    return claims


def _forged(detail: str) -> Refusal:
    return Refusal(401, "forged", detail, {"WWW-Authenticate": "Bearer"})
