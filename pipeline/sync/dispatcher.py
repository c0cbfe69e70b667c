"""Who is due?  A loop over one index, in batches, that stops while the queue is deep."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from models import SyncState
from pipeline.config import settings
from pipeline.dispatch import send_many
from pipeline.jobs.controls import Pause
from pipeline.jobs.reading import depth
from pipeline.stores import Row, collection
from pipeline.sync.held import in_words, kind_of, not_held, pauses_of_syncs
from pipeline.sync.lanes import DATA, Lane, sync_of
from pipeline.sync.states import release_dead_locks

BATCH = 500
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Dispatched:
    """What a look at who is due came to: syncs that were `queued`, those that were so
    `already`, and the `pauses` because of which some got none."""

    queued: int = 0
    already: int = 0
    pauses: list[Pause] = field(default_factory=list)

    def __str__(self) -> str:
        already = f", {self.already:,} queued before" if self.already else ""
        return "; ".join([f"{self.queued:,} queued{already}", *map(in_words, self.pauses)])


def queue_due(lane: Lane = DATA) -> Dispatched:
    """Send a job for every due state of `lane` that no pause holds, until enough jobs wait.

    Killed between marking and sending, the states are found again after
    REQUEUE_AFTER_SECONDS.
    """
    done = Dispatched()
    since = _EPOCH
    while True:
        done.pauses = pauses_of_syncs(lane)
        if _enough_wait(lane, done.pauses):
            return done
        batch = take_due(datetime.now(UTC), lane, since=since, where=not_held(done.pauses))
        if not batch:
            return done
        # What a pause holds stays due: the next batch need not look through it again.
        since = batch[-1]["next_due_at"]
        for sent in send_many(map(sync_of, batch)):
            done.queued += sent.created
            done.already += not sent.created


def take_due(
    now: datetime,
    lane: Lane = DATA,
    *,
    since: datetime = _EPOCH,
    where: Row | None = None,
    limit: int = BATCH,
) -> list[Row]:
    """Mark up to `limit` states that are due as queued and return them, longest due first.

    `where` has further conditions, such as not to be held by a pause.  A state
    whose job is lost, or whose worker died, becomes due again when this time is
    up; so does one whose sync was never finished.
    """
    states = collection(SyncState)
    conditions = [{"source": {"$in": list(lane.sources)}}, where or {}]
    wanted: Row = {"next_due_at": {"$gte": since, "$lte": now}, "$and": conditions}
    fields = {"user_id": 1, "source": 1, "tenant_id": 1, "mailbox_id": 1, "next_due_at": 1}
    due = list(states.find(wanted, fields).sort("next_due_at", 1).limit(limit))
    if due:
        release_dead_locks({"_id": {"$in": [state["_id"] for state in due]}})
        again = now + timedelta(seconds=settings().requeue_after_seconds)
        states.update_many(
            # The second condition spares what began to run since it was found.
            {"_id": {"$in": [state["_id"] for state in due]}, "next_due_at": {"$lte": now}},
            {"$set": {"status": "queued", "next_due_at": again}},
        )
    return due


def _enough_wait(lane: Lane, pauses: Collection[Pause]) -> bool:
    """Return whether as many jobs wait as workers need, or none may be queued at all."""
    kinds = [kind_of(pause) for pause in pauses]
    if "queue" in kinds:
        return True
    # What waits already in a paused scope, at most as much again, must not keep out the others.
    shares = 1 + kinds.count("source") + kinds.count("tenant")
    return depth(lane.queue.name).waiting >= settings().dispatch_high_water * shares
