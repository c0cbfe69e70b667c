"""Spreading what waits for one domain over the times at which it may be sent.

When a domain has had its share, each message that waits for it is put off once, to a slot of
its own, rather than asked for again and again.  Slots are given in order behind those given
before; who is canceled leaves a gap that newcomers may fill, since what counts when a message
is sent is the budget alone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING, UpdateOne
from redis.exceptions import LockError

from models import ScheduledAction
from pipeline.errors import Permanent, Transient
from pipeline.limits import budgets
from pipeline.limits.budgets import Budget
from pipeline.outreach import plans
from pipeline.outreach.budgets import words
from pipeline.outreach.sending.objections import QUIET_MARGIN
from pipeline.quiet_hours import next_allowed
from pipeline.stores import Row, collection, redis_client

#: Of what waits for a domain so much is put off at a time.
MOST_AT_ONCE = 1000
#: A job's clock may be so far ahead of that of Redis, by which slots begin.
_SKEW_SECONDS = 1.0
_LOCK_SECONDS = 30.0
#: Left to itself MongoDB may look through what waits for all domains.
_INDEX = "domain_due_pending"


def spread(action: Row, budget: Budget) -> int:
    """Put off `action`, which its domain's budget refuses, and all that waits for the domain.

    `domain` of the action is that of its contact's address by now.
    Returns how many were.  Raises Transient if others hold the domain up, redis.RedisError.
    """
    lock = redis_client().lock(
        f"headrace:spread:{budget.key}", timeout=_LOCK_SECONDS, blocking_timeout=_LOCK_SECONDS
    )
    try:
        with lock:
            return _spread(action, budget)
    except LockError:
        raise Transient("what waits for a domain is being put off by others") from None


def slots(
    budget: Budget,
    free: Iterable[float],
    given: Iterable[float],
    wishes: Iterable[Callable[[float], float]],
) -> list[float]:
    """Return the times of the next slots, one for each of `wishes`, in seconds since 1970.

    `free` is when each unit of the budget may be taken next, `given` the slots that others
    have, of which the newest as many as the budget has units suffice.  A wish takes a time, and
    returns the first one from then on that it can make use of.
    """
    heap = list(free)
    heapq.heapify(heap)
    for at in given:
        _occupy(heap, budget, at)
    found = []
    for wish in wishes:
        at = wish(heap[0])
        found.append(at)
        _occupy(heap, budget, at)
    return found


def _occupy(heap: list[float], budget: Budget, at: float) -> None:
    heapq.heapreplace(heap, budgets.returned_at(budget, budgets.slot_at(budget, at)))


def _spread(action: Row, budget: Budget) -> int:
    now, free = budgets.returns(budget)
    found = [action, *_waiting(action, now)]
    if not free:
        times: Sequence[float] = [now + budgets.NOTHING_WAIT_SECONDS] * len(found)
    else:
        times = slots(budget, free, _given(action, budget, now), map(_not_quiet, found))
    because = f"{words(budget)}; this is its turn"
    writes = [
        _write(row | {"domain": action["domain"]}, _datetime(at + _SKEW_SECONDS), because)
        for row, at in zip(found, times, strict=True)
    ]
    return collection(ScheduledAction).bulk_write(writes, ordered=False).modified_count


def _not_quiet(action: Row) -> Callable[[float], float]:
    """Return what gives the first time that is not within the quiet hours of a contact."""
    plan = plans.stored(action["campaign_id"], action["data"]["plan_version"])
    zone = action["data"]["time_zone"]

    def allowed(at: float) -> float:
        try:
            return next_allowed(_datetime(at), zone, plan.quiet, margin=QUIET_MARGIN).timestamp()
        except Permanent:  # a zone that is no more, of which its own job tells
            return at

    return allowed if plan.quiet else float


def _write(action: Row, due_at: datetime, because: str) -> UpdateOne:
    now = datetime.now(UTC)
    return UpdateOne(
        {"_id": action["_id"], "status": action["status"], "due_at": action["due_at"]},
        {
            "$set": {
                "status": "pending",
                "due_at": due_at,
                "because": because,
                "domain": action["domain"],
                "data.slot": True,
                "updated_at": now,
            },
            "$unset": {"queued_at": ""},
        },
    )


def _waiting(action: Row, now: float) -> list[Row]:
    """Return what is due to the same domain and nobody has begun, longest due first."""
    due = _same_domain(action) | {"due_at": {"$lte": _datetime(now)}, "_id": {"$ne": action["_id"]}}
    fields = {"status": 1, "due_at": 1, "campaign_id": 1, "data": 1}
    found = collection(ScheduledAction).find(due, fields, hint=_INDEX)
    return list(found.sort("due_at", ASCENDING).limit(MOST_AT_ONCE))


def _given(action: Row, budget: Budget, now: float) -> list[float]:
    """Return the newest slots that were given to others, in order."""
    later = _same_domain(action) | {"due_at": {"$gt": _datetime(now)}, "data.slot": True}
    found = collection(ScheduledAction).find(later, {"due_at": 1}, hint=_INDEX)
    newest = found.sort("due_at", DESCENDING).limit(budget.limit)
    return [row["due_at"].timestamp() - _SKEW_SECONDS for row in newest][::-1]


def _same_domain(action: Row) -> Row:
    return {
        "tenant_id": action["tenant_id"],
        "domain": action["domain"],
        "kind": "send",
        "status": "pending",
    }


def _datetime(at: float) -> datetime:
    """Return a time that MongoDB can keep, a part of a millisecond later."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=math.ceil(at * 1000))
