"""What recipients did and are about to do, as rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import Clock, rfc3339
from pipeline.sandbox.database import Database, Values
from pipeline.sandbox.outreach.messages import Message

#: An act of the way to a recipient: the arrival of a message that is decided later.
ARRIVE = "arrive"


@dataclass(frozen=True)
class Planned:
    """An act that is to be done."""

    n: int
    message_n: int
    act: str
    how: dict[str, Any]
    attempts: int


@dataclass
class Acts:
    """Every act.  Any thread may call any method.

    `wake` is called with the number of each act that is planned, and when it is due; it runs
    inside the transaction and must not wait for anything.
    """

    database: Database
    clock: Clock
    wake: Callable[[int, int], None] = lambda _act_n, _due_ms: None

    def plan(self, message: Message, act: str, due_ms: int, how: Mapping[str, Any]) -> None:
        with self.database.transaction():
            self.database.run(
                "INSERT INTO recipient_acts (message_n, act, params, due_ms) VALUES (?, ?, ?, ?)",
                *(message.n, act, dump_json(dict(how)), due_ms),
            )
            row = self.database.row("SELECT last_insert_rowid()")
            assert row is not None  # an aggregate
            self.wake(row[0], due_ms)

    def record(self, message: Message, act: str, how: Mapping[str, Any], outcome: str) -> None:
        """Note what a recipient has just done."""
        now_ms = self.clock.now_ms()
        self.database.run(
            "INSERT INTO recipient_acts (message_n, act, params, due_ms, done_ms, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(message.n, act, dump_json(dict(how)), now_ms, now_ms, outcome),
        )

    def find(self, n: int) -> Planned | None:
        """An act that is still to be done."""
        row = self.database.row(
            "SELECT n, message_n, act, params, attempts FROM recipient_acts"
            " WHERE n = ? AND done_ms IS NULL",
            n,
        )
        if row is None:
            return None
        return Planned(row[0], row[1], row[2], json.loads(row[3]), row[4])

    def waiting(self) -> list[tuple[int, int]]:
        """(number, when it is due) of all that is to be done."""
        sql = "SELECT n, due_ms FROM recipient_acts WHERE done_ms IS NULL"
        return [(row[0], row[1]) for row in self.database.rows(sql)]

    def due(self) -> int:
        """How many acts should have been done by now."""
        sql = "SELECT count(*) FROM recipient_acts WHERE done_ms IS NULL AND due_ms <= ?"
        row = self.database.row(sql, self.clock.now_ms())
        return int(row[0]) if row else 0

    def try_again(self, act: Planned, wait_seconds: float) -> int:
        """Put an act off; returns when it is due."""
        due_ms = self.clock.now_ms() + int(1000 * wait_seconds)
        sql = "UPDATE recipient_acts SET attempts = attempts + 1, due_ms = ? WHERE n = ?"
        self.database.run(sql, due_ms, act.n)
        return due_ms

    def finish(self, act: Planned, outcome: str) -> None:
        sql = "UPDATE recipient_acts SET done_ms = ?, outcome = ? WHERE n = ?"
        self.database.run(sql, self.clock.now_ms(), outcome, act.n)

    def listed(self, address: str | None = None) -> list[dict[str, Any]]:
        """All acts, or those of an address, in the order in which they were planned."""
        rows = self.database.rows(
            "SELECT m.message_id, m.address, a.act, a.params, a.due_ms, a.done_ms, a.outcome"
            " FROM recipient_acts a JOIN inbox m ON m.n = a.message_n"
            " WHERE ?1 IS NULL OR m.address = ?1 ORDER BY a.n",
            None if address is None else address.lower(),
        )
        return [_described(row) for row in rows]

    def done_with(self, message: Message) -> list[str]:
        """What its recipient has done with a message, in that order."""
        rows = self.database.rows(
            "SELECT act FROM recipient_acts WHERE message_n = ? AND done_ms IS NOT NULL"
            " AND act != ? ORDER BY done_ms, n",
            *(message.n, ARRIVE),
        )
        return [row[0] for row in rows]

    def clear(self) -> None:
        self.database.run("DELETE FROM recipient_acts")


def _described(row: Values) -> dict[str, Any]:
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
