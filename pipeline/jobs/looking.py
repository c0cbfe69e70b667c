"""Every queue as it is now, and in words by which rules it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.jobs import controls
from pipeline.jobs.controls import Pause
from pipeline.jobs.names import queues_with_jobs
from pipeline.jobs.reading import Depth, depths
from pipeline.jobs.workers import Worker, serving, workers
from pipeline.queues import QUEUES, Keep, Queue
from pipeline.words import duration, number


@dataclass(frozen=True, slots=True)
class Seen:
    """One queue as it is now; `has_jobs` says whether the table has jobs on it at all."""

    queue: Queue
    depth: Depth
    pauses: list[Pause]
    workers: list[Worker]
    has_jobs: bool

    @property
    def unserved(self) -> bool:
        """Return whether jobs wait and nobody works on them."""
        return bool(self.depth.waiting) and not self.workers

    @property
    def places(self) -> int:
        """Return how many of its jobs its workers can run at a time."""
        return sum(min(self.queue.concurrency, worker.threads) for worker in self.workers)

    def as_document(self) -> dict[str, Any]:
        """Return it for programs."""
        rules = asdict(self.queue)
        return {
            "queue": rules.pop("name"),
            **asdict(self.depth),
            "paused": [asdict(pause) for pause in self.pauses],
            "workers": [worker.id for worker in self.workers],
            "places": self.places,
            "unserved": self.unserved,
            **rules,
        }


def look(names: Iterable[str] | None = None) -> list[Seen]:
    """Return these queues of the table, or all.  Raises redis.RedisError."""
    wanted = list(QUEUES if names is None else names)
    found, paused, among = depths(wanted), controls.pauses(), workers()
    used = {queue.name for queue in queues_with_jobs()}
    return [
        Seen(
            QUEUES[name],
            found[name],
            [pause for pause in paused if pause.scope == f"queue:{name}"],
            serving(name, among),
            name in used,
        )
        for name in wanted
    ]


def attempts_in_words(queue: Queue) -> str:
    """Return how often a job is tried, and the waits in between: "3 (1, 2 s)"."""
    waits = [queue.backoff_before_ms(n) / 1000 for n in range(2, queue.attempts + 1)]
    told = f" ({', '.join(f'{wait:g}' for wait in waits)} s)" if waits else ""
    return f"{queue.attempts}{told}"


def limits_in_words(queue: Queue) -> str:
    """Return what bounds how many of its jobs start; empty if nothing does."""
    limits = [
        f"{limit.starts} in {duration(limit.seconds)} per {limit.scope}" for limit in queue.limits
    ]
    if queue.one_per:
        limits.append(f"one per {queue.one_per}")
    return ", ".join(limits)


def kept_in_words(keep: Keep) -> str:
    """Return how much history stays: "1,000 for 1 d"."""
    return number(keep.count) + (f" for {duration(keep.seconds)}" if keep.seconds else "")
