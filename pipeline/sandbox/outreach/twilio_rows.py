"""What Twilio keeps: messages in both directions, numbers, and who has said STOP.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.database import Database, Values
from pipeline.sandbox.outreach import TWILIO_ACCOUNT_SID, TWILIO_NUMBER

VERSION = "2010-04-01"
ROOT = f"/{VERSION}/Accounts/{TWILIO_ACCOUNT_SID}"
OUTBOUND, INBOUND = "outbound-api", "inbound"
_COLUMNS = (
    "n, sid, direction, recipient, sender, body, status, error_code, created_ms, updated_ms,"
    " sent_ms, callback"
)
#: A part of a message that has several: https://www.twilio.com/docs/glossary/what-sms-character-limit
_ONE_SEGMENT, _SEGMENT = 160, 153


@dataclass(frozen=True)
class Sms:
    """One message; `status` is Twilio's, `callback` where its changes are told."""

    n: int
    sid: str
    direction: str
    to: str
    from_: str
    body: str
    status: str
    error_code: int | None
    created_ms: int
    updated_ms: int
    sent_ms: int | None
    callback: str

    def described(self) -> dict[str, Any]:
        uri = f"{ROOT}/Messages/{self.sid}"
        length = len(self.body)
        segments = 1 if length <= _ONE_SEGMENT else -(-length // _SEGMENT)
        return {
            "account_sid": TWILIO_ACCOUNT_SID,
            "api_version": VERSION,
            "body": self.body,
            "date_created": _rfc2822(self.created_ms),
            "date_sent": _rfc2822(self.sent_ms),
            "date_updated": _rfc2822(self.updated_ms),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": None,
            "from": self.from_,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": str(segments),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


class TwilioRows:
    """The account's messages, numbers and opt-outs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        if self.number(TWILIO_NUMBER) is None:
            self.put_number(TWILIO_NUMBER)

    # Messages

    def add(self, direction: str, to: str, from_: str, body: str, callback: str = "") -> Sms:
        sid, now_ms = f"SM{secrets.token_hex(16)}", self._clock.now_ms()
        is_inbound = direction == INBOUND
        status, sent_ms = ("received", now_ms) if is_inbound else ("queued", None)
        self._database.run(
            f"INSERT INTO twilio_messages ({_COLUMNS}) VALUES (NULL{', ?' * 11})",  # noqa: S608
            *(sid, direction, to, from_, body, status, None, now_ms, now_ms, sent_ms, callback),
        )
        return self.message(sid) or _never()

    def message(self, sid: str) -> Sms | None:
        found = self._database.row(
            f"SELECT {_COLUMNS} FROM twilio_messages WHERE sid = ?",  # noqa: S608
            sid,
        )
        return None if found is None else Sms(*found)

    def change(self, sid: str, status: str, error_code: int | None = None) -> Sms:
        now_ms = self._clock.now_ms()
        self._database.run(
            "UPDATE twilio_messages SET status = ?, error_code = ?, updated_ms = ?,"
            " sent_ms = coalesce(sent_ms, ?) WHERE sid = ?",
            *(status, error_code, now_ms, now_ms, sid),
        )
        return self.message(sid) or _never()

    def messages(self, wanted: Mapping[str, Any], before_n: int | None, limit: int) -> list[Sms]:
        """The newest first; `wanted` are conditions by SQL."""
        conditions = [*wanted, *([] if before_n is None else ["n < ?"])]
        values = [*wanted.values(), *([] if before_n is None else [before_n])]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM twilio_messages{where} ORDER BY n DESC LIMIT ?",  # noqa: S608
            *(*values, limit),
        )
        return [Sms(*row) for row in rows]

    # Numbers

    def put_number(self, number: str, *, sms: bool = True, sms_url: str = "") -> None:
        """Have a number, and where messages to it are told."""
        self._database.run(
            "INSERT INTO twilio_numbers (number, sid, sms, sms_url, created_ms)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (number)"
            " DO UPDATE SET sms = excluded.sms, sms_url = excluded.sms_url",
            *(number, f"PN{secrets.token_hex(16)}", int(sms), sms_url, self._clock.now_ms()),
        )

    def number(self, number: str) -> dict[str, Any] | None:
        found = self._database.row("SELECT * FROM twilio_numbers WHERE number = ?", number)
        return None if found is None else _number(found)

    def numbers(self, sid: str | None = None) -> list[dict[str, Any]]:
        rows = self._database.rows("SELECT * FROM twilio_numbers ORDER BY created_ms, number")
        return [_number(row) for row in rows if sid in (None, row[1])]

    # Opt-outs

    def set_opt_out(self, recipient: str, sender: str, *, opted_out: bool) -> None:
        verb = "INSERT OR IGNORE INTO twilio_opt_outs VALUES (?, ?)"
        undo = "DELETE FROM twilio_opt_outs WHERE recipient = ? AND sender = ?"
        self._database.run(verb if opted_out else undo, recipient, sender)

    def has_opted_out(self, recipient: str, sender: str) -> bool:
        sql = "SELECT 1 FROM twilio_opt_outs WHERE recipient = ? AND sender = ?"
        return self._database.row(sql, recipient, sender) is not None

    def clear(self) -> None:
        for table in ("twilio_messages", "twilio_numbers", "twilio_opt_outs", "twilio_posts"):
            self._database.run(f"DELETE FROM {table}")  # noqa: S608
        self.put_number(TWILIO_NUMBER)


def _number(row: Values) -> dict[str, Any]:
    """https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource"""
    number, sid, sms, sms_url, created_ms = row
    return {
        "sid": sid,
        "account_sid": TWILIO_ACCOUNT_SID,
        "friendly_name": number,
        "phone_number": number,
        "capabilities": {"voice": False, "sms": bool(sms), "mms": False, "fax": False},
        "sms_url": sms_url,
        "sms_method": "POST",
        "date_created": _rfc2822(created_ms),
        "status": "in-use",
        "uri": f"{ROOT}/IncomingPhoneNumbers/{sid}.json",
    }


def _rfc2822(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC))


def _never() -> Any:
    raise RuntimeError("a message that was written is not there")
