"""The secrets of a sender at its provider: encrypted at rest, and never shown again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipeline.clients.keyring import Encrypted, Keyring, Unreadable
from pipeline.errors import Misconfigured
from pipeline.outreach import mail_servers
from pipeline.refusals import Refused
from pipeline.stores import Row

#: What each provider's secret consists of.
CREDENTIAL_FIELDS: dict[str, tuple[str, ...]] = {
    "sendgrid": ("api_key",),
    "smtp": ("url",),
    "twilio": ("account_sid", "auth_token"),
}
_MOST_CHARACTERS = 2000


def encrypted(sender_id: str, provider: str, values: Mapping[str, object]) -> Encrypted:
    """Return the secrets of a sender as they are stored.  Raises Refused, Misconfigured."""
    expected = CREDENTIAL_FIELDS[provider]
    if set(values) != set(expected):
        raise Refused("credentials", f"{provider} needs {' and '.join(expected)}, nothing else")
    for name, value in values.items():
        if not isinstance(value, str) or not value.strip() or len(value) > _MOST_CHARACTERS:
            raise Refused(f"credentials.{name}", "expected a text that is not empty")
    plain = {name: str(values[name]).strip() for name in expected}
    if provider == "smtp":
        _require_named(plain["url"])
    return Keyring.from_settings().encrypt(json.dumps(plain).encode(), _context(sender_id))


def decrypted(sender: Row) -> dict[str, str] | None:
    """Return the secrets of a sender by name, None if it uses those of the settings.

    Raises Misconfigured if they cannot be read.
    """
    stored = sender.get("credentials")
    if not stored:
        return None
    try:
        plain = Keyring.from_settings().decrypt(stored, _context(str(sender["_id"])))
    except Unreadable:
        raise Misconfigured("the sender's credentials cannot be read: set them again") from None
    found: dict[str, str] = json.loads(plain)
    return found


def _require_named(url: str) -> None:
    try:
        mail_servers.named(url)
    except Misconfigured as error:
        raise Refused("credentials.url", str(error)) from None


def _context(sender_id: str) -> str:
    """Return whose secret it is, so that it cannot be read in another row."""
    return f"sender:{sender_id}"
