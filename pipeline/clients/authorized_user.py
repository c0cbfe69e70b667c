"""Google's authorized-user JSON, the form in which a grant is handed over, checked field by field.

https://googleapis.dev/python/google-auth/latest/reference/google.oauth2.credentials.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import Misconfigured, Permanent

_SECRET_FIELDS = ("client_secret", "refresh_token", "token")
#: What brokers put in the place of a secret:
#: https://docs.composio.dev/docs/changelog/2026/04/22
_BLOTTED = re.compile(r"redacted|\*\*|\.\.\.|…", re.IGNORECASE)


def secrets_of(info: Mapping[str, Any]) -> dict[str, str]:
    """Return client_id, client_secret and refresh_token, and token and expiry if it has both.

    Raises Permanent that names the field which is missing or wrong, and
    Misconfigured for a secret that was blotted out on its way here.
    """
    if info.get("type", "authorized_user") != "authorized_user":
        raise Permanent("authorized-user JSON: `type` is not authorized_user")
    secrets = {name: _text(info, name) for name in ("client_id", "client_secret", "refresh_token")}
    # A token without its end would be taken for one that never expires.
    if info.get("token") and info.get("expiry"):
        secrets |= {"token": _text(info, "token"), "expiry": _moment(info)}
    return secrets


def scopes_of(info: Mapping[str, Any]) -> list[str]:
    """Return the granted scopes; empty when the JSON does not tell.  Raises Permanent."""
    scopes = info.get("scopes") or []
    if isinstance(scopes, str):
        scopes = scopes.split()
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise Permanent("authorized-user JSON: `scopes` is not a list of scopes")
    return scopes


def email_of(info: Mapping[str, Any]) -> str:
    """Return the address of the account in lower case; empty when the JSON does not tell."""
    account = info.get("account") or ""
    if not isinstance(account, str):
        raise Permanent("authorized-user JSON: `account` is not text")
    return account.strip().lower()


def _text(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    if value is None or value == "":
        raise Permanent(f"authorized-user JSON: `{name}` is missing")
    if not isinstance(value, str):
        raise Permanent(f"authorized-user JSON: `{name}` is not text")
    if name in _SECRET_FIELDS and _BLOTTED.search(value):
        raise Misconfigured(f"authorized-user JSON: `{name}` is blotted out; give the whole value")
    return value


def _moment(info: Mapping[str, Any]) -> str:
    """Return `expiry` in UTC, as ISO 8601; without a zone it is UTC already."""
    try:
        moment = datetime.fromisoformat(_text(info, "expiry"))
    except ValueError:
        raise Permanent("authorized-user JSON: `expiry` is not an ISO 8601 time") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()
