"""What is remembered while somebody is at the provider's consent page: ten minutes, in Redis.

The state that travels through the browser is only the key.  It can be used once,
by the browser that began: otherwise somebody could have a victim's browser finish
what they began, and connect the wrong account.
https://www.rfc-editor.org/rfc/rfc9700#section-4.7
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.clients.consents import Consent
from pipeline.config import public_base_url
from pipeline.errors import Permanent
from pipeline.stores import impatient_redis_client
from pipeline.web.connect.links import Link
from pipeline.web.connect.providers import Provider

STATE_SECONDS = 600
_STATE = re.compile(r"[A-Za-z0-9_-]{43}")
_USED = b"used"


class StateUnknown(Permanent):
    """Nothing is known of this state: it is forged, or older than ten minutes."""


class StateUsed(Permanent):
    """Somebody has come back with this state already."""


class OtherBrowser(Permanent):
    """The state was begun in another browser."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One visit to a consent page: by which link, and what was asked for."""

    link: Link
    sources: tuple[str, ...]
    consent: Consent


def redirect_uri(provider: str) -> str:
    """Return the address to which a provider sends users back; it must know it, to the letter."""
    return f"{public_base_url()}/connect/{provider}/callback"


def begin(provider: Provider, link: Link, sources: Collection[str], browser: str) -> str:
    """Remember a new flow and return the address of its consent page.

    `browser` is the secret in its cookie.  Raises Misconfigured, Transient, RedisError.
    """
    chosen = tuple(offer.source for offer in provider.offers_of(sources))
    asking = provider.asking(link.user_id, link.other_account)
    wanted = Consent(
        redirect_uri=redirect_uri(provider.name),
        scopes=provider.scopes(chosen),
        state=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        nonce=secrets.token_urlsafe(32),
        login_hint=asking.login_hint,
        prompt=asking.prompt,
    )
    url, consent = provider.begin(wanted)
    remembered = {
        "flow": asdict(Flow(link, chosen, consent)),
        "browser": _hashed(browser),
    }
    impatient_redis_client().set(_key(consent.state), json.dumps(remembered), ex=STATE_SECONDS)
    return url


def take(state: str, browser: str) -> Flow:
    """Return the flow of `state`, once.

    Raises StateUnknown, StateUsed or OtherBrowser; another browser uses nothing
    up.  Raises RedisError.
    """
    client = impatient_redis_client()
    raw: Any = client.get(_key(state)) if _STATE.fullmatch(state) else None
    if raw is None:
        raise StateUnknown("this was begun too long ago, or not here")
    if raw == _USED:
        raise StateUsed("this was finished already")
    remembered = json.loads(raw)
    if not hmac.compare_digest(remembered["browser"], _hashed(browser)):
        raise OtherBrowser("this was begun in another browser")
    # Of several who come at once, one gets it back.
    if client.set(_key(state), _USED, xx=True, get=True, keepttl=True) != raw:
        raise StateUsed("this was finished already")
    return _flow(remembered["flow"])


def _flow(said: dict[str, Any]) -> Flow:
    link, consent = said["link"], said["consent"]
    return Flow(
        link=Link(**{**link, "sources": tuple(link["sources"])}),
        sources=tuple(said["sources"]),
        consent=Consent(**{**consent, "scopes": tuple(consent["scopes"])}),
    )


def _key(state: str) -> str:
    """Return the key; who can read keys cannot finish a flow."""
    return f"headrace:connect:{_hashed(state)}"


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
