"""What a run has left behind: in Redis, in MongoDB and in the witness files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import table
from benchmarks.chaos.faults import Hit
from benchmarks.chaos.ledger import Line, effects, read_witness
from benchmarks.chaos.producers import Producer
from models import DeadLetter
from pipeline.jobs import consistency, reading
from pipeline.jobs.entries import Entry
from pipeline.stores import collection

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter."""

    job_id: str
    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the verdict looks at."""

    runs: list[Entry]
    letters: list[Letter]
    effects: dict[str, int]
    """Message id -> how often the effect was attempted again."""
    contradictions: list[str]
    lines: list[Line]
    hits: list[Hit]
    errors: list[str]
    """Faults that could not be done, and sends that were never acknowledged."""
    told: dict[str, set[str]]
    """Job id, of those that are sent without a token -> the message ids that producers got."""
    unsure: set[str]
    """Of these, for which an answer never came: there may be runs of which nobody was told."""
    resent: int
    seconds: float


def collect(
    witness: Path,
    producers: Sequence[Producer],
    hits: list[Hit],
    errors: list[str],
    seconds: float,
) -> Outcome:
    """Read it all, when nothing runs any more."""
    told: dict[str, set[str]] = {}
    for producer in producers:
        for job_id, message_ids in producer.told.items():
            told.setdefault(job_id, set()).update(message_ids)
    letters = collection(DeadLetter).find({}, {"job_id": 1, "reason": 1, "times": 1})
    return Outcome(
        runs=[run for queue in (table.MAIN, table.SIDE) for run in _runs(queue.name)],
        letters=[Letter(one["job_id"], one["reason"], one["times"]) for one in letters],
        effects={one["_id"]: one["repeats"] for one in effects().find()},
        contradictions=consistency.check(),
        lines=read_witness(witness),
        hits=hits,
        errors=errors,
        told=told,
        unsure=set().union(*(producer.unsure for producer in producers)),
        resent=sum(producer.resent for producer in producers),
        seconds=seconds,
    )


def _runs(queue: str) -> Iterator[Entry]:
    """Yield every run of every job, as the history tells of it."""
    page = reading.page(queue, None, limit=_PAGE)
    yield from page.jobs
    while page.next is not None:
        page = reading.page(queue, None, limit=_PAGE, before=page.next)
        yield from page.jobs
