"""Who is due?  A loop over one index, in batches, that stops while the queue is deep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from models import SyncState
from pipeline.config import settings
from pipeline.stores import collection
from pipeline.sync.states import release_dead_locks

BATCH = 500


def take_due(now: datetime, limit: int = BATCH) -> list[tuple[str, str]]:
    """Mark up to `limit` due states as queued and return their (user, source), oldest first.

    A state whose job is lost, or whose worker died, becomes due again when
    this time is up; so does one whose sync was never finished.
    """
    states = collection(SyncState)
    due = list(
        states.find({"next_due_at": {"$lte": now}}, {"user_id": 1, "source": 1})
        .sort("next_due_at", 1)
        .limit(limit)
    )
    if due:
        release_dead_locks({"_id": {"$in": [state["_id"] for state in due]}})
        again = now + timedelta(seconds=settings().requeue_after_seconds)
        states.update_many(
            # The second condition spares what began to run since it was found.
            {"_id": {"$in": [state["_id"] for state in due]}, "next_due_at": {"$lte": now}},
            {"$set": {"status": "queued", "next_due_at": again}},
        )
    return [(state["user_id"], state["source"]) for state in due]


def queue_due(send: Callable[[list[tuple[str, str]]], None], waiting: Callable[[], int]) -> int:
    """Send a job for every due state until none is left or enough jobs wait.

    Returns how many were sent.  Killed between marking and sending, the
    states are found again after REQUEUE_AFTER_SECONDS.
    """
    sent = 0
    while waiting() < settings().dispatch_high_water:
        batch = take_due(datetime.now(UTC))
        if not batch:
            break
        send(batch)
        sent += len(batch)
    return sent
