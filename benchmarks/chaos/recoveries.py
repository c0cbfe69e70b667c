"""Attempts that faults cut off, and how long their jobs waited for the next one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.chaos.faults import Hit
from benchmarks.chaos.ledger import Line


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a job.  Times are in seconds since the epoch."""

    message_id: str
    began_at: float
    ended_at: float | None
    lost: bool
    """A fault hit its worker in the meantime or later: it may have ended and not been filed."""
    cut_at: float | None
    """When its worker was killed or stopped under it."""
    again_at: float | None
    """When the next delivery began to run, if that was before this one had ended."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Times of recovery, in seconds; None without any."""

    count: int
    p50_seconds: float | None
    p99_seconds: float | None
    longest_seconds: float | None
    longest_with_outages_seconds: float | None


def attempts(lines: Sequence[Line], hits: Iterable[Hit]) -> list[Attempt]:
    """Return every attempt that the witness files tell of.

    A delivery that was cut off before the job could say that it began is not among them;
    the recovery of the one before, which it ended, cannot be told and is left out.
    """
    cuts = [(line.at, line.pid) for line in lines if line.what == "kills"]
    cuts = sorted([*cuts, *((hit.at, pid) for hit in hits for pid in hit.pids)])
    starts: dict[str, list[Line]] = {}
    for line in lines:
        if line.what == "start":
            starts.setdefault(line.message_id, []).append(line)
    ends = {_attempt_of(line): line.at for line in lines if line.what == "end"}
    return [
        _attempt(start, of_message, ends.get(_attempt_of(start)), cuts)
        for of_message in starts.values()
        for start in of_message
    ]


def _attempt(
    start: Line, others: list[Line], ended_at: float | None, cuts: list[tuple[float, int]]
) -> Attempt:
    until = ended_at or float("inf")
    hits = [at for at, pid in cuts if pid == start.pid and start.at <= at]
    cut_at = next((at for at in hits if at < until), None)
    again_at = (one.at for one in others if one.delivery == start.delivery + 1 and one.at < until)
    return Attempt(
        message_id=start.message_id,
        began_at=start.at,
        ended_at=ended_at,
        lost=bool(hits),
        cut_at=cut_at,
        again_at=next(again_at, None),
    )


def summary(attempts: Iterable[Attempt], hits: Iterable[Hit]) -> Summary:
    """Return the middle, the 99th percentile (nearest rank) and the longest recovery.

    Each is the time from the kill, or from the moment in which a worker was stopped, to the
    next start of a job that it ran, without the time in which Redis was away.
    """
    away = [(hit.at, hit.until) for hit in hits if hit.fault.target == "redis"]
    spans = [
        (one.cut_at, one.again_at)
        for one in attempts
        if one.cut_at is not None and one.again_at is not None
    ]
    if not spans:
        return Summary(0, None, None, None, None)
    ranked = sorted(end - begin - _overlap(begin, end, away) for begin, end in spans)
    rank = -(-len(ranked) * 99 // 100)
    return Summary(
        count=len(ranked),
        p50_seconds=ranked[len(ranked) // 2],
        p99_seconds=ranked[rank - 1],
        longest_seconds=ranked[-1],
        longest_with_outages_seconds=max(end - begin for begin, end in spans),
    )


def _overlap(begin: float, end: float, spans: Iterable[tuple[float, float]]) -> float:
    return sum(max(0.0, min(end, until) - max(begin, at)) for at, until in spans)


def _attempt_of(line: Line) -> tuple[str, int, int]:
    return line.message_id, line.delivery, line.pid
