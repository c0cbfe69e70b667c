"""Links in messages: signed, so that nobody can make one, and saying nothing about anybody.

A link names the message that it is in; one to another site carries that address within the
signature, so that nobody can send visitors elsewhere through us.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from itsdangerous import BadData, URLSafeSerializer

from pipeline.config import public_base_url
from pipeline.outreach.link_secret import has_link_secret, link_secret

Kind = Literal["unsubscribe", "open", "click"]

_PATHS: dict[Kind, str] = {"unsubscribe": "/u/", "open": "/o/", "click": "/c/"}
#: Longer addresses are not led through us: not every mail program takes them.
MOST_URL_CHARACTERS = 2000


def unsubscribe_url(message_id: str) -> str:
    """Return the address at which the reader of a message says: no more."""
    return _url("unsubscribe", message_id)


def open_url(message_id: str) -> str:
    """Return the address of the picture that tells that a message was opened."""
    return _url("open", message_id)


def click_url(message_id: str, url: str) -> str:
    """Return an address that leads to `url` and tells that it was followed.

    `url` itself if it is not of the web.
    """
    return _url("click", [message_id, url]) if is_web_address(url) else url


def headers(message_id: str) -> dict[str, str]:
    """Return the headers by which mail programs unsubscribe their user with one click.

    https://www.rfc-editor.org/rfc/rfc8058
    """
    return {
        "List-Unsubscribe": f"<{unsubscribe_url(message_id)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def status_url(sender_id: str, message_id: str) -> str:
    """Return the address that Twilio tells what becomes of a message."""
    query = urlencode({"message": message_id})
    return f"{public_base_url()}/webhooks/twilio/{quote(sender_id, safe='')}/status?{query}"


def inbound_url(sender_id: str) -> str:
    """Return the address that Twilio gives what is sent to a sender's number."""
    return f"{public_base_url()}/webhooks/twilio/{quote(sender_id, safe='')}/inbound"


def read(kind: Kind, token: str) -> dict[str, str] | None:
    """Return what a token of this kind says: `message_id`, and the `url` of a click.

    None for one that was not made here.  Raises what `link_secret` raises.
    """
    match kind, _loaded(kind, token):
        case "click", [str(message_id), str(url)] if is_web_address(url):
            return {"message_id": message_id, "url": url}
        case "unsubscribe" | "open", str(message_id):
            return {"message_id": message_id}
    return None


def is_unsubscribe_url(url: str) -> bool:
    """Return whether it is one of ours by which a reader unsubscribes."""
    return url.startswith(public_base_url() + _PATHS["unsubscribe"])


def is_web_address(url: str) -> bool:
    """Return whether browsers may be sent to `url`: http or https, and a host."""
    if len(url) > MOST_URL_CHARACTERS or not url.isprintable() or set(url) & set(' \\"<>'):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # half an IPv6 address
        return False


def _url(kind: Kind, said: Any) -> str:
    return f"{public_base_url()}{_PATHS[kind]}{_serializer(kind).dumps(said)}"


def _loaded(kind: Kind, token: str) -> Any:
    if not has_link_secret():  # strangers make none
        return None
    try:
        return _serializer(kind).loads(token)
    except BadData:
        return None


def _serializer(kind: Kind) -> URLSafeSerializer:
    signed = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(link_secret(), salt=f"outreach/{kind}", signer_kwargs=signed)
