"""The one account: its keys, its verified senders and domains, and whom it does not mail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipeline.sandbox.database import Database
from pipeline.sandbox.outreach import SENDGRID_API_KEY
from pipeline.sandbox.population import EMAIL_DOMAIN

MAIL_SEND, READ_ACTIVITY, READ_DOMAINS = "mail.send", "email_activity.read", "whitelabel.read"
SCOPES = ("2fa_required", READ_ACTIVITY, MAIL_SEND, "sender_verification_eligible", READ_DOMAINS)

_META = "sendgrid_account"

#: Reasons of drops by kind of suppression.
#: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#dropped
_REASONS = {
    "bounce": "Bounced Address",
    "spamreport": "Spam Reporting Address",
    "unsubscribe": "Unsubscribed Address",
    "group_unsubscribe": "Unsubscribed Address",
}
KINDS = tuple(_REASONS)


class Account:
    """Kept in the database; a new one has one key, and the domain of the sandbox's users."""

    def __init__(self, database: Database) -> None:
        self._database = database
        text = database.meta(_META, "")
        self._kept: dict[str, dict[str, Any]] = json.loads(text) if text else _new()

    # Keys, senders, domains

    def scopes(self, key: str) -> frozenset[str] | None:
        """What a key may do; None for a key that is unknown or revoked."""
        found = self._kept["keys"].get(key)
        return None if found is None else frozenset(found)

    def put_key(self, key: str, scopes: Sequence[str]) -> None:
        """Give a key exactly these scopes; without any it is revoked."""
        if scopes:
            self._kept["keys"][key] = sorted(scopes)
        else:
            self._kept["keys"].pop(key, None)
        self._save()

    def senders(self) -> list[dict[str, Any]]:
        return [
            {"id": number, "address": address, "verified": verified}
            for number, (address, verified) in enumerate(self._kept["senders"].items(), 1)
        ]

    def domains(self) -> list[dict[str, Any]]:
        return [
            {"id": number, "domain": domain, "valid": valid}
            for number, (domain, valid) in enumerate(self._kept["domains"].items(), 1)
        ]

    def put_sender(self, address: str, *, verified: bool) -> None:
        """Add a single sender; an unverified one has not followed the link in its mail yet."""
        self._kept["senders"][address.lower()] = verified
        self._save()

    def put_domain(self, domain: str, *, valid: bool) -> None:
        """Add a domain; an invalid one lacks its DNS records."""
        self._kept["domains"][domain.lower()] = valid
        self._save()

    def may_send_from(self, address: str) -> bool:
        domain = address.lower().rpartition("@")[2]
        by_address = self._kept["senders"].get(address.lower())
        return bool(by_address or self._kept["domains"].get(domain))

    # Suppressions

    def suppress(self, address: str, kind: str, group_id: int = 0) -> None:
        """`kind` is one of KINDS; only those of a group need its id."""
        self._database.run(
            "INSERT OR IGNORE INTO sendgrid_suppressions (address, kind, group_id)"
            " VALUES (?, ?, ?)",
            *(address.lower(), kind, group_id),
        )

    def allow_group(self, address: str, group_id: int) -> None:
        self._database.run(
            "DELETE FROM sendgrid_suppressions"
            " WHERE address = ? AND kind = 'group_unsubscribe' AND group_id = ?",
            *(address.lower(), group_id),
        )

    def why_dropped(self, address: str, group_id: int | None) -> str | None:
        """Why nothing is sent to an address; None if there is no reason."""
        row = self._database.row(
            "SELECT kind FROM sendgrid_suppressions WHERE address = ?"
            " AND (kind != 'group_unsubscribe' OR group_id = ?)",
            *(address.lower(), -1 if group_id is None else group_id),
        )
        return None if row is None else _REASONS[row[0]]

    def suppressions(self) -> list[dict[str, Any]]:
        sql = "SELECT address, kind, group_id FROM sendgrid_suppressions"
        names = ("address", "kind", "group_id")
        return [dict(zip(names, row, strict=True)) for row in self._database.rows(sql)]

    def clear(self) -> None:
        """Be a new account again."""
        self._database.run("DELETE FROM sendgrid_suppressions")
        self._kept = _new()
        self._save()

    def _save(self) -> None:
        self._database.set_meta(_META, json.dumps(self._kept))


def _new() -> dict[str, dict[str, Any]]:
    return {
        "keys": {SENDGRID_API_KEY: list(SCOPES)},
        "senders": {},
        "domains": {EMAIL_DOMAIN: True},
    }
