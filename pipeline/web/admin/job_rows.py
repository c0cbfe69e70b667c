"""How jobs stand in a list: what each row says, worked out before the template lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models import DeadLetter
from pipeline.jobs.entries import Entry, Failure
from pipeline.jobs.redaction import masked
from pipeline.queues import QUEUES
from pipeline.stores import collection


@dataclass(frozen=True, slots=True)
class Row:
    """A job in a list.  Addresses are masked wherever they are shown; links carry ids.

    `waited_seconds` and `ran_seconds` go on while it waits or runs.  `fingerprint` is the group
    of its dead letter, empty if it has none.
    """

    entry: Entry
    name: str
    attempts: str
    waited_seconds: float | None
    ran_seconds: float | None
    why: str
    fingerprint: str = ""

    @property
    def user(self) -> str:
        """Its user, empty if it has none."""
        return self.entry.scope("user")

    @property
    def shown_user(self) -> str:
        """Its user, as it may be shown."""
        return masked(self.user)


def row_of(entry: Entry, now: datetime, fingerprint: str = "") -> Row:
    """Return the row of a job."""
    return Row(
        entry,
        masked(entry.job_id) or entry.message_id,
        attempts_of(entry),
        _waited(entry, now),
        _ran(entry, now),
        masked(why(entry)),
        fingerprint,
    )


def attempts_of(entry: Entry) -> str:
    """Return which attempt of how many it is at: "1 / 3"."""
    queue = QUEUES.get(entry.queue)
    return f"{entry.attempts} / {queue.attempts}" if queue else str(entry.attempts)


def why(entry: Entry) -> str:
    """Return in one line why it failed or waits, how far it is, or what it did."""
    if entry.state == "running" and entry.progress:
        return f"{entry.progress.fraction:.0%} {entry.progress.text}".rstrip()
    if entry.state == "completed":
        return entry.summary
    error = error_of(entry.failure)
    return error if entry.state == "failed" else ": ".join(filter(None, (entry.why, error)))


def error_of(failure: Failure | None) -> str:
    """Return an error as class and message, empty for None."""
    return ": ".join(filter(None, (failure.error, failure.message))) if failure else ""


def _waited(entry: Entry, now: datetime) -> float | None:
    if entry.state == "waiting" and entry.since:
        return max(0.0, (now - entry.since).total_seconds())
    return None if entry.wait_ms is None else entry.wait_ms / 1000


def _ran(entry: Entry, now: datetime) -> float | None:
    if entry.state == "running" and entry.started_at:
        return max(0.0, (now - entry.started_at).total_seconds())
    return None if entry.run_ms is None else entry.run_ms / 1000


def fingerprints(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the fingerprints of the dead letters that these runs became, by message id."""
    failed = [entry.message_id for entry in entries if entry.state == "failed"]
    if not failed:
        return {}
    letters = collection(DeadLetter).find(
        {"counted": {"$in": failed}}, {"counted": 1, "fingerprint": 1}
    )
    return {name: letter["fingerprint"] for letter in letters for name in letter["counted"]}
