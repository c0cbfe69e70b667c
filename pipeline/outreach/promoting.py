"""From what is scheduled to jobs: what is due soon, and what was lost on its way.

The schedule is in MongoDB alone: a job is only a hint to look.  What is made due soon has its
jobs at once (`nudge`); a tick finds the rest, and whatever lost its job to a crash.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

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
from pipeline.outreach.beats import MILLISECONDS, OVERDUE, end_of
from pipeline.queues import OUTREACH_TIMEOUT
from pipeline.stores import Row, collection
from pipeline.words import counted

logger = logging.getLogger(__name__)

#: The index by which senders' lines are found.
SENDER_DUE = "sender_due_pending"
#: A tenant, and a beat in which timers of it are due.
Beat = tuple[str, int]
#: What has been due for so long has lost its job, or that comes too late.
_OVERDUE_AFTER = timedelta(seconds=30)


def nudge(wake: Wake) -> None:
    """Queue what a transaction has made due soon.  Never raises: the tick finds what is left."""
    try:
        queue_beats(wake.beats, datetime.now(UTC))
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
    beats = sum(queue_beats(batch, now) for batch in _beats_due(now))
    parts = [f"timers of {counted(beats, 'beat')}", counted(len(pacing), "sender")]
    parts += [f"{counted(len(settling), 'campaign')} to settle"] if settling else []
    return ", ".join(parts + ([f"{lost:,} had lost their job"] if lost else []))


def queue_beats(beats: Collection[Beat], now: datetime) -> int:
    """Give each beat its job, for when it ends; return how many had none."""
    sent = send_many(
        Send("fire_timeouts", (tenant_id, beat), seconds_until(end_of(beat), now), tenant_id)
        for tenant_id, beat in sorted(beats)
    )
    return sum(one.created for one in sent)


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


def _beats_due(now: datetime) -> Iterator[list[Beat]]:
    """Yield the beats in which timers are due soon, in batches, until enough jobs wait.

    Each batch has to be queued before the next is asked for.
    """
    due = {"status": "pending", "kind": "timeout", "due_at": {"$lte": now + horizon()}}
    beat = {"$ceil": {"$divide": [{"$toLong": "$due_at"}, MILLISECONDS]}}
    long_ago = {"$lte": ["$due_at", now - _OVERDUE_AFTER]}
    stages: list[Row] = [
        {"$match": due},
        {"$group": {"_id": {"t": "$tenant_id", "n": {"$cond": [long_ago, OVERDUE, beat]}}}},
        {"$sort": {"_id.n": ASCENDING}},
    ]
    rows = collection(ScheduledAction).aggregate(stages, hint="kind_due_pending")
    while depth(OUTREACH_TIMEOUT.name).waiting < settings().dispatch_high_water:
        batch = [(str(row["_id"]["t"]), int(row["_id"]["n"])) for row in islice(rows, BATCH)]
        if not batch:
            return
        yield batch


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
