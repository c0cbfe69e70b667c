"""From what is scheduled to jobs: what is due soon, and what was lost on its way.

The schedule is in MongoDB alone: a job is only a hint to look.  What is made due soon has its
jobs at once (`nudge`); a tick finds the rest, and whatever lost its job to a crash.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from models import Campaign, ScheduledAction
from pipeline.config import settings
from pipeline.dispatch import BATCH, send_many
from pipeline.errors import HeadraceError
from pipeline.jobs.reading import depth
from pipeline.jobs.sending import Send
from pipeline.outreach.advancing import Wake
from pipeline.queues import OUTREACH_TIMEOUT
from pipeline.stores import collection
from pipeline.words import counted

logger = logging.getLogger(__name__)

#: The index by which senders' lines are found.
SENDER_DUE = "sender_due_pending"
#: id of a timer, when it is due, and its tenant.
Timer = tuple[str, datetime, str]


def nudge(wake: Wake) -> None:
    """Queue what a transaction has made due soon.  Never raises: the tick finds what is left."""
    try:
        queue_timers(wake.soon, datetime.now(UTC))
        send_many(Send("pace_sender", (sender_id,)) for sender_id in sorted(wake.sender_ids))
    except (HeadraceError, PyMongoError, RedisError) as error:
        logger.warning("nudge failed", extra={"reason": type(error).__name__})


def nudge_settling(campaign_ids: Iterable[str]) -> None:
    """Queue the settling of campaigns.  Never raises: the tick finds what is left."""
    try:
        send_many(Send("settle_campaign", (campaign_id,)) for campaign_id in campaign_ids)
    except (HeadraceError, RedisError) as error:
        logger.warning("nudge failed", extra={"reason": type(error).__name__})


def promote() -> str:
    """Queue all that is due soon, and say in words how much that was.  Safe to run twice."""
    now = datetime.now(UTC)
    lost = _take_back_lost(now)
    settling = send_many(Send("settle_campaign", (one,)) for one in _to_settle(now))
    pacing = send_many(Send("pace_sender", (one,)) for one in senders_due(now))
    timers = sum(queue_timers(batch, now) for batch in _timers_due(now))
    parts = [counted(timers, "timer"), counted(len(pacing), "sender")]
    parts += [f"{counted(len(settling), 'campaign')} to settle"] if settling else []
    return ", ".join(parts + ([f"{lost:,} had lost their job"] if lost else []))


def queue_timers(timers: Collection[Timer], now: datetime) -> int:
    """Give timers that wait a job each, for exactly when they are due; return how many did."""
    if not timers:
        return 0
    marked = collection(ScheduledAction).update_many(
        {"_id": {"$in": [action_id for action_id, _, _ in timers]}, "status": "pending"},
        {"$set": {"status": "queued", "queued_at": now, "updated_at": now}},
    )
    # One that was canceled meanwhile has a job that finds nothing to do.
    send_many(
        Send("fire_timeout", (action_id,), seconds_until(due_at, now), tenant_id)
        for action_id, due_at, tenant_id in timers
    )
    return marked.modified_count


def seconds_until(due_at: datetime, now: datetime) -> float:
    """Return how long it is until something is due, 0 if it is."""
    return max(0.0, (due_at - now).total_seconds())


def senders_due(now: datetime) -> Iterator[str]:
    """Yield the senders in whose line something is due soon.

    From sender to sender along the index: however much waits, each costs two look-ups.
    """
    waits = {"status": "pending", "kind": "send"}
    actions, sender_id = collection(ScheduledAction), ""
    while True:
        first = actions.find_one(
            waits | {"sender_id": {"$gt": sender_id}},
            {"sender_id": 1, "due_at": 1},
            sort=[("sender_id", ASCENDING), ("due_at", ASCENDING)],
            hint=SENDER_DUE,
        )
        if first is None:
            return
        sender_id = str(first["sender_id"])
        if first["due_at"] <= now + horizon():
            yield sender_id


def horizon() -> timedelta:
    """Return how long before it is due something becomes a job."""
    return timedelta(seconds=settings().outreach_promotion_seconds)


def _timers_due(now: datetime) -> Iterator[list[Timer]]:
    """Yield the timers that are due soon, in batches, until enough jobs wait.

    Each batch has to be queued before the next is asked for.
    """
    due = {"status": "pending", "kind": "timeout", "due_at": {"$lte": now + horizon()}}
    while depth(OUTREACH_TIMEOUT.name).waiting < settings().dispatch_high_water:
        rows = list(
            collection(ScheduledAction)
            .find(due, {"due_at": 1, "tenant_id": 1}, hint="kind_due_pending")
            .sort("due_at", ASCENDING)
            .limit(BATCH)
        )
        if rows:
            yield [(row["_id"], row["due_at"], row["tenant_id"]) for row in rows]
        if len(rows) < BATCH:
            return


def _take_back_lost(now: datetime) -> int:
    """Have actions wait again whose job should have done something about them long ago."""
    long_ago = now - timedelta(seconds=settings().requeue_after_seconds)
    lost = collection(ScheduledAction).update_many(
        {"status": "queued", "queued_at": {"$lt": long_ago}, "due_at": {"$lt": long_ago}},
        {"$set": {"status": "pending", "updated_at": now}, "$unset": {"queued_at": ""}},
        hint="queued_at_queued",
    )
    return lost.modified_count


def _to_settle(now: datetime) -> Iterator[str]:
    for row in collection(Campaign).find({"settle_due_at": {"$lte": now}}, {"_id": 1}):
        yield str(row["_id"])
