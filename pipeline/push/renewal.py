"""The tick: whose subscriptions must be looked at, and what came in but was not acted on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from models import DEFAULT_TENANT, Subscription, SyncState
from pipeline.config import settings
from pipeline.dispatch import send_many
from pipeline.jobs.reading import depth
from pipeline.jobs.sending import Send
from pipeline.push import gaps, inbox
from pipeline.push.kinds import KINDS
from pipeline.push.registration import Kind, target_of
from pipeline.push.subscribing import WAITS_FOR_USER
from pipeline.queues import WEBHOOK_RENEWAL
from pipeline.stores import Row, collection
from pipeline.sync import states

#: No more jobs are sent while so many wait: renewals have a margin of hours.
HIGH_WATER = 1000
_BATCH = 200
#: A delivery that no job has acted on by then lost it.
_LOST_SECONDS = 30.0
_MOST_DELIVERIES = 5000
_EPOCH = datetime.fromtimestamp(0, UTC)


def renew_subscriptions() -> str:
    """Send what is missing, for as many as workers can take; returns what, in words."""
    woken = wake_lost()
    silent = gaps.look_at_silent()
    replaced = gaps.replace_silenced()
    looked = sum(_queue(kind) for kind in KINDS.values())
    return f"{looked} looked at, {woken} late, {silent} silent, {replaced} replaced"


def wake_lost() -> int:
    """Send the jobs of deliveries that have waited for too long; returns how many."""
    until = datetime.now(UTC) - timedelta(seconds=_LOST_SECONDS)
    lost = inbox.waiting(until, _MOST_DELIVERIES)
    sent = send_many(Send("notification", (row,), tenant_id=t) for row, t in lost)
    return sum(one.created for one in sent)


def _queue(kind: Kind) -> int:
    """Send a `subscribe` for each state of this source that is due for one."""
    queued = 0
    for batch in _due(kind):
        sends = [
            Send("subscribe", (one["user_id"], kind.source), tenant_id=one["tenant_id"])
            for one in batch
        ]
        queued += sum(one.created for one in send_many(sends))
        if depth(WEBHOOK_RENEWAL.name).waiting >= HIGH_WATER:
            break
    return queued


def _due(kind: Kind) -> Iterator[list[Row]]:
    """Yield batches of states to look at: those that were moved first, then the longest due.

    A state whose job is lost is found again after REQUEUE_AFTER_SECONDS.
    """
    now = datetime.now(UTC)
    target = target_of(kind)
    yield _moved(kind.source, target)
    if not target:
        return
    for wanted in (
        {"push.due_at": {"$lte": now}},
        # Never looked at.  Before the first sync it is not known what to watch.
        {"push.due_at": None, "fresh_as_of": {"$gt": _EPOCH}},
    ):
        while batch := _taken({"source": kind.source} | wanted, now):
            yield [one for one in batch if one["status"] not in states.HELD]


def _taken(wanted: Row, now: datetime) -> list[Row]:
    """Return up to a batch of states, which are due again later; held ones much later."""
    fields = {"user_id": 1, "tenant_id": 1, "status": 1}
    found = collection(SyncState).find(wanted, fields).sort("push.due_at", 1).limit(_BATCH)
    batch = [{"tenant_id": DEFAULT_TENANT} | one for one in found]
    for held in (True, False):
        ids = [one["_id"] for one in batch if (one["status"] in states.HELD) is held]
        wait = WAITS_FOR_USER if held else timedelta(seconds=settings().requeue_after_seconds)
        # The condition spares what somebody has asked for since it was found.
        unchanged = wanted | {"_id": {"$in": ids}}
        collection(SyncState).update_many(unchanged, {"$set": {"push.due_at": now + wait}})
    return batch


def _moved(source: str, target: str) -> list[Row]:
    """Return whose provider sends to where we do not listen any more."""
    wanted: Row = {"source": source, "status": "active", "target": {"$ne": target}}
    fields = {"user_id": 1, "tenant_id": 1}
    return list(collection(Subscription).find(wanted, fields).limit(_BATCH))
