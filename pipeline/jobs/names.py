"""Whether names fit together: actors, the jobs of the table, and queues.

A name that resolves nowhere would be work that nobody does and nobody misses;
every process that begins with one ends at once instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pipeline.errors import Misconfigured
from pipeline.queues import JOBS, Queue, job_named, queue_named


def actor_options(job: str) -> dict[str, Any]:
    """Return what the decorator of the actor that runs `job` takes.  Raises Misconfigured."""
    queue = job_named(job).queue
    return {
        "actor_name": job,
        "queue_name": queue.name,
        "priority": queue.priority,
        "time_limit": queue.time_limit_ms,
        # Dramatiq logs what it does not expect with its whole text, which may be personal.
        "throws": BaseException,
    }


def queues_with_jobs() -> list[Queue]:
    """Return the queues on which there are jobs: a worker that serves others has nothing to do."""
    return list({job.queue.name: job.queue for job in JOBS.values()}.values())


def check_table() -> None:
    """Raise Misconfigured unless every job of the table is on a queue of the table."""
    for job in JOBS.values():
        if queue_named(job.queue.name) is not job.queue:
            raise Misconfigured(f"job {job.name!r} is on a queue {job.queue.name!r} of its own")


def check_names(
    actors: Mapping[str, Callable[..., Any]], queues: Collection[str] | None = None
) -> None:
    """Raise Misconfigured unless `actors`, functions by the names of their jobs, are the table's.

    Each actor needs a job, and the names of its arguments are those of the
    message.  `queues` are those that a worker was told to serve (None: all): it
    must know them, find work on one of them, and have an actor for each job there.
    """
    check_table()
    for name, function in actors.items():
        _check_arguments(name, function)
    if queues is not None:
        _check_queues(queues)
    served = [job.name for job in JOBS.values() if queues is None or job.queue.name in queues]
    missing = sorted(set(served) - actors.keys())
    if missing:
        raise Misconfigured(f"no actor runs {', '.join(missing)}; `actors/` needs one of that name")


def _check_arguments(name: str, function: Callable[..., Any]) -> None:
    wanted = job_named(name).arguments
    found = tuple(inspect.signature(function).parameters)
    if found != wanted:
        raise Misconfigured(
            f"actor {name!r} takes ({', '.join(found)}), "
            f"but its messages carry ({', '.join(wanted)}): see pipeline/queues.py"
        )


def _check_queues(names: Collection[str]) -> None:
    served = {queue_named(name).name for name in sorted(names)}
    if served.isdisjoint(queue.name for queue in queues_with_jobs()):
        raise Misconfigured(
            f"there are no jobs on {', '.join(sorted(served))}: this worker would do nothing"
        )
