"""One inbox for all channels: who was sent what, when, and what became of it.

A provider calls `Inbox.deliver` once for each recipient of what it has accepted, inside the
transaction in which it accepts.  The inbox asks the recipient's habits what becomes of the
message and what the recipient does with it, and keeps both as rows; `acting.Acting` does what is
due.  A provider that wants to know, for example to tell its webhook, is the message's *carrier*:
it puts itself into `Inbox.carriers` under its name.
"""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.database import Database, Values
from pipeline.sandbox.outreach.acts import ARRIVE, Acts
from pipeline.sandbox.outreach.messages import Carrier, Message
from pipeline.sandbox.outreach.recipients import Arrival, Habits, Recipients

#: What a message is until its arrival is decided.
ACCEPTED = "accepted"

#: The note of a sender's by which messages are found fast.
INDEXED_NOTE = "outbound_message_id"
_NOTE = f"'$.{INDEXED_NOTE}'"

_COLUMNS = (
    "n, message_id, channel, provider, provider_id, address, sender, subject, text, html,"
    " headers, custom, details, received_ms, status, status_ms"
)
_JSON_FROM, _JSON_TO = 10, 13


@dataclass
class Inbox:
    """Every message, and what its recipient will do.  Any thread may call any method."""

    database: Database
    clock: Clock
    carriers: dict[str, Carrier] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.recipients = Recipients(self.database)
        self.acts = Acts(self.database, self.clock)

    def deliver(
        self,
        *,
        channel: str,
        provider: str,
        to: str,
        from_: str,
        provider_id: str = "",
        subject: str = "",
        text: str = "",
        html: str = "",
        headers: Mapping[str, str] | None = None,
        custom: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        arrival: Arrival | None = None,
        not_before_ms: int = 0,
    ) -> str:
        """Take a message for one recipient; returns the inbox's id of it.

        `arrival` says what becomes of it, whatever the recipient's habits are; it does not
        arrive before `not_before_ms` of the sandbox's clock.
        """
        message_id, now_ms = secrets.token_hex(12), self.clock.now_ms()
        notes = [dump_json(dict(value or {})) for value in (headers, custom, details)]
        with self.database.transaction():
            self.database.run(
                f"INSERT INTO inbox ({_COLUMNS}) VALUES (NULL{', ?' * 15})",
                *(message_id, channel, provider, provider_id, to.lower(), from_),
                *(subject, text, html, *notes, now_ms, ACCEPTED, now_ms),
            )
            message = self.message(message_id)
            assert message is not None  # inserted above
            habits = self.recipients.habits(to)
            chosen = arrival or Arrival(habits.arrival)
            first_ms = max(now_ms + int(1000 * habits.delivered_after), not_before_ms)
            if first_ms <= now_ms:
                self._arrive(message, chosen, habits.deferrals, habits)
            else:
                how = {"arrival": chosen, "left": habits.deferrals}
                self.acts.plan(message, ARRIVE, first_ms, how)
        return message_id

    def arrive(self, message: Message, arrival: Arrival, deferrals_left: int) -> None:
        """Decide a message's arrival now, tell its carrier, and plan what follows."""
        self._arrive(message, arrival, deferrals_left, self.recipients.habits(message.to))

    def _arrive(
        self, message: Message, arrival: Arrival, deferrals_left: int, habits: Habits
    ) -> None:
        if arrival == Arrival.DEFERRED and deferrals_left == 0:
            arrival = Arrival.DELIVERED
        now_ms = self.clock.now_ms()
        with self.database.transaction():
            sql = "UPDATE inbox SET status = ?, status_ms = ? WHERE n = ?"
            self.database.run(sql, arrival, now_ms, message.n)
            carrier = self.carriers.get(message.provider)
            if carrier is not None:
                carrier.arrived(message, arrival)
            if arrival == Arrival.DEFERRED:
                again_ms = now_ms + int(1000 * habits.deferred_seconds)
                how = {"arrival": arrival, "left": deferrals_left - 1}
                self.acts.plan(message, ARRIVE, again_ms, how)
            elif arrival == Arrival.DELIVERED:
                for after, act, how in habits.acts:
                    self.acts.plan(message, act, now_ms + int(1000 * after), how)

    # What there is

    def message(self, message_id: str) -> Message | None:
        sql = f"SELECT {_COLUMNS} FROM inbox WHERE message_id = ?"
        row = self.database.row(sql, message_id)
        return None if row is None else _message(row)

    def message_by_n(self, n: int) -> Message | None:
        row = self.database.row(f"SELECT {_COLUMNS} FROM inbox WHERE n = ?", n)
        return None if row is None else _message(row)

    def messages(
        self,
        address: str | None = None,
        since_ms: int = 0,
        limit: int | None = None,
        custom: Mapping[str, str] | None = None,
        after_n: int = 0,
        newest: bool = False,
    ) -> list[Message]:
        """Messages in the order of their coming, to one address or to all, since a time and
        behind number `after_n`; those of which the sender has noted `custom`.  A `limit` takes
        the first ones, or the `newest`."""
        wanted = "" if address is None else " AND address = ?"
        values: list[Any] = [] if address is None else [address.lower()]
        for name, value in (custom or {}).items():
            indexed = name == INDEXED_NOTE
            wanted += f" AND json_extract(custom, {_NOTE if indexed else '?'}) = ?"
            values += [value] if indexed else [f'$."{name}"', value]
        rows = self.database.rows(
            f"SELECT {_COLUMNS} FROM inbox WHERE n > ? AND received_ms >= ?{wanted}"
            f" ORDER BY n {'DESC' if newest else 'ASC'} LIMIT ?",
            *(after_n, since_ms, *values, -1 if limit is None else limit),
        )
        return [_message(row) for row in (reversed(rows) if newest else rows)]

    def count(self) -> int:
        row = self.database.row("SELECT count(*) FROM inbox")
        return int(row[0]) if row else 0

    def clear(self) -> None:
        """Forget all messages, recipients, what they were about to do, and what is to be told."""
        with self.database.transaction():
            for carrier in self.carriers.values():
                carrier.clear()
            self.database.run("DELETE FROM inbox")
            self.acts.clear()
            self.recipients.clear()


def _message(row: Values) -> Message:
    notes = [json.loads(text) for text in row[_JSON_FROM:_JSON_TO]]
    return Message(*row[:_JSON_FROM], *notes, *row[_JSON_TO:])
