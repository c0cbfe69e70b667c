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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import Clock, rfc3339
from pipeline.sandbox.database import Database, Values
from pipeline.sandbox.outreach.recipients import Act, Arrival, Habits, Recipients

#: What a message is until its arrival is decided, and an act of the way there.
ACCEPTED, ARRIVE = "accepted", "arrive"

#: The note of a sender's by which messages are found fast.
INDEXED_NOTE = "outbound_message_id"
_NOTE = f"'$.{INDEXED_NOTE}'"

_COLUMNS = (
    "n, message_id, channel, provider, provider_id, address, sender, subject, text, html,"
    " headers, custom, details, received_ms, status, status_ms"
)
_JSON_FROM, _JSON_TO = 10, 13


@dataclass(frozen=True)
class Message:
    """A message to one recipient.

    `headers` of mail by name; `custom` are the sender's own notes (custom args); `details` are
    for its carrier alone.  `status` is `accepted` or an Arrival.
    """

    n: int
    message_id: str
    channel: str
    provider: str
    provider_id: str
    to: str
    from_: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    custom: dict[str, Any]
    details: dict[str, Any]
    received_ms: int
    status: str
    status_ms: int

    def header(self, name: str) -> str:
        """The value of a header, whatever the case of its name; empty without it."""
        wanted = name.lower()
        return next((text for key, text in self.headers.items() if key.lower() == wanted), "")

    def described(self) -> dict[str, Any]:
        """The message as control shows it."""
        same = ("channel", "provider", "provider_id", "to", "subject", "text", "html", "headers")
        return {
            "number": self.n,
            "id": self.message_id,
            "from": self.from_,
            "custom_args": self.custom,
            "categories": self.details.get("categories", []),
            "status": self.status,
            "received_at": rfc3339(self.received_ms),
            "status_at": rfc3339(self.status_ms),
        } | {name: getattr(self, name) for name in same}


class Carrier(Protocol):
    """A provider that is told what becomes of the messages it accepted."""

    def arrived(self, message: Message, arrival: Arrival) -> None:
        """A message was delivered, bounced, … or deferred once more.

        Runs inside a transaction: writes rows, waits for nothing.
        """

    def acted(self, message: Message, act: Act, how: Mapping[str, Any]) -> None:
        """The recipient did something.  Runs inside a transaction as well, after the recipient
        has fetched what a mail program fetches; `how` has the `text` of a reply, the `url` of a
        click."""

    def waiting(self) -> int:
        """How much is still to be told."""

    def clear(self) -> None:
        """Forget what is to be told, and all that control has set up."""


@dataclass
class Inbox:
    """Every message, and what its recipient will do.  Any thread may call any method.

    `wake` is called with the number of each act that is planned, and when it is due; it runs
    inside the transaction and must not wait for anything.
    """

    database: Database
    clock: Clock
    carriers: dict[str, Carrier] = field(default_factory=dict)
    wake: Callable[[int, int], None] = lambda _act_n, _due_ms: None

    def __post_init__(self) -> None:
        self.recipients = Recipients(self.database)

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
                self.arrive(message, chosen, habits.deferrals)
            else:
                how = {"arrival": chosen, "left": habits.deferrals}
                self.plan(message, ARRIVE, first_ms, how)
        return message_id

    def arrive(self, message: Message, arrival: Arrival, deferrals_left: int = 0) -> None:
        """Decide a message's arrival now, tell its carrier, and plan what follows."""
        if arrival == Arrival.DEFERRED and deferrals_left == 0:
            arrival = Arrival.DELIVERED
        now_ms = self.clock.now_ms()
        habits = self.recipients.habits(message.to)
        with self.database.transaction():
            sql = "UPDATE inbox SET status = ?, status_ms = ? WHERE n = ?"
            self.database.run(sql, arrival, now_ms, message.n)
            carrier = self.carriers.get(message.provider)
            if carrier is not None:
                carrier.arrived(message, arrival)
            if arrival == Arrival.DEFERRED:
                again_ms = now_ms + int(1000 * habits.deferred_seconds)
                how = {"arrival": arrival, "left": deferrals_left - 1}
                self.plan(message, ARRIVE, again_ms, how)
            elif arrival == Arrival.DELIVERED:
                self._plan_acts(message, habits, now_ms)

    def _plan_acts(self, message: Message, habits: Habits, now_ms: int) -> None:
        for after, act, how in habits.acts:
            self.plan(message, act, now_ms + int(1000 * after), how)

    def record(self, message: Message, act: str, how: Mapping[str, Any], outcome: str) -> None:
        """Note what a recipient has just done."""
        now_ms = self.clock.now_ms()
        self.database.run(
            "INSERT INTO recipient_acts (message_n, act, params, due_ms, done_ms, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(message.n, act, dump_json(dict(how)), now_ms, now_ms, outcome),
        )

    def plan(self, message: Message, act: str, due_ms: int, how: Mapping[str, Any]) -> int:
        """Plan what a recipient does; returns the number of the act."""
        with self.database.transaction():
            self.database.run(
                "INSERT INTO recipient_acts (message_n, act, params, due_ms) VALUES (?, ?, ?, ?)",
                *(message.n, act, dump_json(dict(how)), due_ms),
            )
            row = self.database.row("SELECT last_insert_rowid()")
            assert row is not None  # an aggregate
            self.wake(row[0], due_ms)
            return int(row[0])

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

    def acts(self, address: str | None = None) -> list[dict[str, Any]]:
        """What recipients did, and what they are about to do, in the order of the plan."""
        wanted = "" if address is None else " WHERE m.address = ?"
        values = () if address is None else (address.lower(),)
        rows = self.database.rows(
            "SELECT m.message_id, m.address, a.act, a.params, a.due_ms, a.done_ms, a.outcome"
            f" FROM recipient_acts a JOIN inbox m ON m.n = a.message_n{wanted} ORDER BY a.n",
            *values,
        )
        return [_act(row) for row in rows]

    def done_with(self, message: Message) -> list[str]:
        """What its recipient has done with a message, in that order."""
        rows = self.database.rows(
            "SELECT act FROM recipient_acts WHERE message_n = ? AND done_ms IS NOT NULL"
            " AND act != ? ORDER BY done_ms, n",
            *(message.n, ARRIVE),
        )
        return [row[0] for row in rows]

    def acts_due(self) -> int:
        """How many acts should have been done by now."""
        sql = "SELECT count(*) FROM recipient_acts WHERE done_ms IS NULL AND due_ms <= ?"
        row = self.database.row(sql, self.clock.now_ms())
        return int(row[0]) if row else 0

    def clear(self) -> None:
        """Forget all messages, recipients, what they were about to do, and what is to be told."""
        with self.database.transaction():
            for carrier in self.carriers.values():
                carrier.clear()
            for table in ("inbox", "recipient_acts"):
                self.database.run(f"DELETE FROM {table}")
            self.recipients.clear()


def _message(row: Values) -> Message:
    notes = [json.loads(text) for text in row[_JSON_FROM:_JSON_TO]]
    return Message(*row[:_JSON_FROM], *notes, *row[_JSON_TO:])


def _act(row: Values) -> dict[str, Any]:
    message_id, address, act, params, due_ms, done_ms, outcome = row
    return {
        "message": message_id,
        "address": address,
        "act": act,
        "how": json.loads(params),
        "due": rfc3339(due_ms),
        "done": None if done_ms is None else rfc3339(done_ms),
        "outcome": outcome,
    }
