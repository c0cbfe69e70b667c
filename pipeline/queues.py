"""The queue table and the jobs on it: the one place where their numbers stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.errors import Misconfigured, Permanent, ReauthRequired

#: Trying again cannot help: dead letter at once.
NEVER_RETRIED = (Misconfigured, Permanent, ReauthRequired)


@dataclass(frozen=True, slots=True)
class Queue:
    """How the jobs of one queue run.

    `attempts` includes the first; `backoff_ms` doubles with every attempt.  A
    lower `priority` runs first.  `time_limit_ms` is a bound on one attempt.
    """

    name: str
    attempts: int
    backoff_ms: int
    priority: int
    time_limit_ms: int


DATA_SYNC = Queue("data-sync", attempts=3, backoff_ms=1000, priority=5, time_limit_ms=600_000)
GRAPH = Queue("graph", attempts=5, backoff_ms=1000, priority=5, time_limit_ms=600_000)
QUEUES = {queue.name: queue for queue in (DATA_SYNC, GRAPH)}

#: Job name to queue.  A job is an actor of the same name in `actors/`.
JOBS = {"dispatch": DATA_SYNC, "sync": DATA_SYNC, "sweep": GRAPH, "advance_graph": GRAPH}


def queue_of(job: str) -> Queue:
    """Return the queue of `job`; raises Misconfigured for a name that is not in the table."""
    if job not in JOBS:
        raise Misconfigured(f"there is no job {job!r}; the table has {', '.join(JOBS)}")
    return JOBS[job]


def actor_options(job: str) -> dict[str, Any]:
    """Return what `dramatiq.actor` needs to run `job` as the table says."""
    queue = queue_of(job)
    return {
        "actor_name": job,
        "queue_name": queue.name,
        "priority": queue.priority,
        "max_retries": queue.attempts - 1,
        "min_backoff": queue.backoff_ms,
        "max_backoff": queue.backoff_ms * 2**queue.attempts,
        "time_limit": queue.time_limit_ms,
        "throws": NEVER_RETRIED,
    }
