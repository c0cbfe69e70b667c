"""Batches of events on their way: each is one body, posted until it is received or given up."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.database import Database
from pipeline.sandbox.outreach.sendgrid.events import BATCHED, WAITING


@dataclass(frozen=True)
class Batch:
    """A body that is to be posted; a `held` one was kept back or taken apart by a fault before."""

    n: int
    due_ms: int
    attempts: int
    held: bool
    body: bytes


class Batches:
    """Every batch that was not received yet, as rows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def gather(self, most: int) -> int | None:
        """Make a batch of the oldest events that wait; returns its number, or None."""
        with self._database.transaction():
            rows = self._database.rows(
                f"SELECT n, body FROM sendgrid_events WHERE state = '{WAITING}'"  # noqa: S608
                " ORDER BY n LIMIT ?",
                most,
            )
            return self._insert(rows, held=False) if rows else None

    def split(self, batch: Batch) -> list[int]:
        """Make of a batch one for each of its events; returns their numbers."""
        with self._database.transaction():
            rows = self._database.rows(
                "SELECT n, body FROM sendgrid_events WHERE batch_n = ? ORDER BY n", batch.n
            )
            numbers = [self._insert([row], held=True) for row in rows]
            self._database.run("DELETE FROM sendgrid_batches WHERE n = ?", batch.n)
            return numbers

    def _insert(self, rows: list[tuple[int, str]], *, held: bool) -> int:
        body = body_of([text for _, text in rows])
        sql = "INSERT INTO sendgrid_batches (due_ms, held, body) VALUES (?, ?, ?)"
        self._database.run(sql, self._clock.now_ms(), int(held), body)
        row = self._database.row("SELECT last_insert_rowid()")
        assert row is not None  # an aggregate
        self._database.run_many(
            "UPDATE sendgrid_events SET state = ?, batch_n = ? WHERE n = ?",
            [(BATCHED, row[0], n) for n, _ in rows],
        )
        return int(row[0])

    def find(self, n: int) -> Batch | None:
        row = self._database.row(
            "SELECT n, due_ms, attempts, held, body FROM sendgrid_batches WHERE n = ?", n
        )
        return None if row is None else Batch(row[0], row[1], row[2], bool(row[3]), row[4])

    def numbers(self) -> list[int]:
        return [row[0] for row in self._database.rows("SELECT n FROM sendgrid_batches ORDER BY n")]

    def finish(self, batch: Batch, state: str) -> None:
        """Nothing more to do for this one: `state` is what became of its events."""
        with self._database.transaction():
            sql = "UPDATE sendgrid_events SET state = ? WHERE batch_n = ?"
            self._database.run(sql, state, batch.n)
            self._database.run("DELETE FROM sendgrid_batches WHERE n = ?", batch.n)

    def try_again(self, batch: Batch, wait_seconds: float) -> None:
        due_ms = self._clock.now_ms() + int(1000 * wait_seconds)
        sql = "UPDATE sendgrid_batches SET attempts = attempts + 1, due_ms = ? WHERE n = ?"
        self._database.run(sql, due_ms, batch.n)

    def hold(self, batch: Batch, wait_seconds: float) -> None:
        due_ms = self._clock.now_ms() + int(1000 * wait_seconds)
        sql = "UPDATE sendgrid_batches SET held = 1, due_ms = ? WHERE n = ?"
        self._database.run(sql, due_ms, batch.n)


def body_of(events: list[str]) -> bytes:
    """A JSON array as SendGrid writes it: with line ends that no JSON library would put there."""
    return ("[" + ",\r\n".join(events) + "]\r\n").encode()
