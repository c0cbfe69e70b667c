"""Sending jobs by name: used by scheduler, command line and actors, which alone import actors."""

from __future__ import annotations

from collections.abc import Iterable

import dramatiq

from pipeline.broker import broker
from pipeline.queue_depth import depth
from pipeline.queues import DATA_SYNC, queue_of


def send(job: str, *args: str, delay_seconds: float = 0) -> None:
    """Queue `job`.  `args` are ids: a message carries identity, never data.

    A delay is for seconds to minutes; what waits longer is state with a due time.
    """
    queue = queue_of(job)
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=queue.name, actor_name=job, args=args, kwargs={}, options={}
    )
    broker().enqueue(message, delay=round(delay_seconds * 1000) or None)


def send_syncs(due: Iterable[tuple[str, str]]) -> None:
    """Queue a sync for each (user, source)."""
    for user_id, source in due:
        send("sync", user_id, source)


def syncs_waiting() -> int:
    """Return how many jobs wait on the queue that syncs run on."""
    return depth(DATA_SYNC.name).waiting
