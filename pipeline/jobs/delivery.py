"""One attempt at a job: what a worker was given, and what came of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dramatiq import Message
from dramatiq.broker import MessageProxy

from pipeline.jobs import identity
from pipeline.jobs.current import Current
from pipeline.queues import JOBS

State = Literal["completed", "failed", "delayed", "waiting"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job as it was fetched.  `number` is that of this delivery: a worker that was taken
    for dead holds an old one, and may change nothing any more."""

    message_id: str
    number: int
    attempt: int
    wait_ms: int
    lane: str
    job_id: str
    job: str
    args: bytes
    options: bytes | None
    deaths: int
    deferrals: int
    enqueued_at_ms: int
    correlation_id: str

    @classmethod
    def parsed(cls, row: list[Any]) -> Delivery:
        """Return the delivery that step.lua describes by `row`."""
        message_id, number, attempt, wait_ms, lane, job_id, job, args, options, *rest = row
        deaths, deferrals, enqueued_at_ms, correlation_id = rest
        return cls(
            _text(message_id),
            int(number),
            int(attempt),
            int(wait_ms),
            _text(lane),
            _text(job_id),
            _text(job),
            args or b"",
            options,
            _number(deaths),
            _number(deferrals),
            _number(enqueued_at_ms),
            _text(correlation_id),
        )

    @property
    def name(self) -> str:
        """Return how `running:<worker>` and `cancel:<worker>` name it."""
        return f"{self.message_id} {self.number}"

    def as_current(self) -> Current:
        """Return what the job itself may know."""
        return Current(
            self.message_id,
            self.job_id,
            self.attempt,
            self.number,
            self.deaths,
            self.correlation_id,
        )

    def message(self, queue: str) -> Message[Any]:
        """Return the Dramatiq message of this delivery.

        Raises ValueError if what Redis holds cannot be read, LookupError for a
        job that this release does not have, Permanent for arguments that it
        does not take.
        """
        args, options = _decoded(self.args), _decoded(self.options or b"{}")
        if not isinstance(args, list) or not isinstance(options, dict):
            raise ValueError("not the arguments of a job")
        if self.job not in JOBS:
            raise LookupError(f"this release has no job {self.job!r}")
        identity.named(JOBS[self.job], args)
        options.pop("eta", None)  # with it, Dramatiq would let a worker keep the job for later
        return Message(
            queue_name=queue,
            actor_name=self.job,
            args=tuple(args),
            kwargs={},
            options=options,
            message_id=self.message_id,
            message_timestamp=self.enqueued_at_ms,
        )


@dataclass(slots=True)
class Outcome:
    """What comes next for a job after an attempt.

    `give_back`: the attempt does not count.  `in_front`: it waits in front of
    the others.  `letter`: a failed job becomes a dead letter.  `error` describes
    a failure (failure.py).
    """

    state: State
    why: str = ""
    delay_ms: int = 0
    give_back: bool = False
    in_front: bool = False
    deferred: bool = False
    letter: bool = False
    error: dict[str, str] | None = None
    traceback: str = ""


class JobProxy(MessageProxy):
    """A Dramatiq message with the delivery that carried it and, later, its outcome.

    One that is `cancelled` before it begins does not begin.
    """

    def __init__(self, message: Message[Any], delivery: Delivery) -> None:
        super().__init__(message)
        self.delivery = delivery
        self.current = delivery.as_current()
        self.outcome: Outcome | None = None
        self.cancelled = False
        self.started_at_ms = 0
        self.run_ms = 0


def filed(proxy: JobProxy, outcome: Outcome) -> list[Any]:
    """Return what step.lua takes for a finished attempt."""
    return _filed(
        proxy.delivery,
        outcome,
        proxy.started_at_ms,
        proxy.run_ms,
        summary=proxy.current.summary,
        progress=proxy.current.take_progress(),
        lines=proxy.current.take_lines(),
    )


def filed_unread(delivery: Delivery, outcome: Outcome) -> list[Any]:
    """Return what step.lua takes for a delivery that could not become a message."""
    return _filed(delivery, outcome, 0, 0)


def _filed(
    delivery: Delivery,
    outcome: Outcome,
    started_at_ms: int,
    run_ms: int,
    *,
    lines: Sequence[str] = (),
    **fields: str,
) -> list[Any]:
    fields |= {"why": outcome.why, "traceback": outcome.traceback}
    error = json.dumps(outcome.error) if outcome.error else ""
    if outcome.state != "failed":
        fields["error"] = error
    more: dict[str, Any] = {}
    if any(fields.values()):
        more["fields"] = {name: value for name, value in fields.items() if value}
    if lines:
        more["lines"] = lines
    if outcome.state == "delayed":
        more["delay_ms"] = max(1, outcome.delay_ms)
    if outcome.deferred:
        more["deferred"] = True
    if outcome.in_front:
        more["in_front"] = True
    if outcome.state == "failed":
        more |= {"error": error, "letter": outcome.letter}
    return [
        delivery.message_id,
        delivery.number,
        outcome.state,
        started_at_ms,
        run_ms,
        int(outcome.give_back),
        secrets.token_hex(8),
        _encoded(more) if more else b"",
    ]


def _encoded(more: dict[str, Any]) -> bytes:
    """Return JSON that Lua can read: half a character would fail the script, again and again."""
    return json.dumps(more, ensure_ascii=False).encode("utf-8", "replace")


def _decoded(value: bytes) -> Any:
    try:
        return json.loads(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(value: bytes | None) -> int:
    """Return a number that nothing hangs on, or 0 if it is none."""
    try:
        return int(value or 0)
    except ValueError:
        return 0


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value is not None else ""
