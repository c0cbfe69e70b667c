"""The end of waits: timers fire, many in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession

from models import ScheduledAction
from models.outreach import ACTION_OPEN
from pipeline.errors import Gone, Permanent, Unfinished
from pipeline.jobs.current import summarize
from pipeline.outreach import actions, beats
from pipeline.outreach.advancing import Wake, carry
from pipeline.outreach.batches import Walk, load
from pipeline.outreach.promoting import nudge
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection
from pipeline.words import counted

logger = logging.getLogger(__name__)

#: Timers of one transaction.
AT_ONCE = 200
#: One job goes on for so long: others wait for its worker thread.
MOST_SECONDS = 1.0
#: When to try again what could not be fired, through nobody else's fault.
_LATER = timedelta(hours=1)
#: What may be wrong with one contact, or its plan.
_ITS_OWN_FAULT = (Permanent, Gone, LookupError, TypeError, ValueError)


def fire(tenant_id: str, beat: int) -> str:
    """End the waits of a tenant that end in a beat, and say in words how many contacts moved.

    Safe to run twice, and two at a time: what has fired is completed.  A timer that fires late
    moves its contact on as of the deadline; one for a state that is over, or while all is
    paused, moves nobody.  Raises Unfinished to go on behind the others, or if it is too early.
    """
    _wait_for(beat)
    until = time.monotonic() + MOST_SECONDS
    moved = 0
    while ids := _due(tenant_id, beat):
        moved += _fire_all(ids)
        if len(ids) == AT_ONCE and time.monotonic() >= until:
            summarize(_said(moved))
            raise Unfinished
    return _said(moved)


def _said(moved: int) -> str:
    return f"{counted(moved, 'contact')} moved on"


def _wait_for(beat: int) -> None:
    """Raise Unfinished if the end of a beat is still to come, as by a clock that is behind."""
    early = (beats.end_of(beat) - datetime.now(UTC)).total_seconds()
    if early > 0:
        raise Unfinished(early)


def _due(tenant_id: str, beat: int) -> list[str]:
    """Return the next timers of a tenant that are due in a beat."""
    due_at = {"$gt": beats.begin_of(beat), "$lte": beats.end_of(beat)}
    if beat == beats.OVERDUE:
        due_at = {"$lte": datetime.now(UTC)}
    due = {"status": "pending", "kind": "timeout", "tenant_id": tenant_id, "due_at": due_at}
    found = collection(ScheduledAction).find(due, {"_id": 1}, hint="kind_due_pending")
    return [str(row["_id"]) for row in found.sort("due_at", ASCENDING).limit(AT_ONCE)]


def _fire_all(ids: Sequence[str]) -> int:
    """Fire timers in one transaction; if one of them cannot be, each in one of its own.

    Returns how many contacts moved.
    """
    now = datetime.now(UTC)

    def work(session: ClientSession) -> tuple[Wake, int]:
        return _fire(session, ids, now)

    try:
        wake, moved = transaction(work)
    except _ITS_OWN_FAULT as error:
        if len(ids) > 1:
            return sum(_fire_all([action_id]) for action_id in ids)
        _put_off(ids[0], type(error).__name__, now)
        return 0
    nudge(wake)
    return moved


def _put_off(action_id: str, what: str, now: datetime) -> None:
    """Have a timer out of the way of the others for a while."""
    logger.error("timer failed", extra={"action_id": action_id, "reason": what})
    actions.put_back([action_id], now + _LATER, f"it could not be fired: {what}", now)


def _fire(session: ClientSession, ids: Sequence[str], now: datetime) -> tuple[Wake, int]:
    is_open: Row = {"_id": {"$in": list(ids)}, "status": {"$in": list(ACTION_OPEN)}}
    is_open |= {"due_at": {"$lte": now}}  # one that was put right meanwhile may be due later
    fields = {"enrollment_id": 1, "state_version": 1}
    found = collection(ScheduledAction).find(is_open, fields, session=session)
    # Of two that one contact has, the earlier one.
    timers = {row["enrollment_id"]: row for row in found.sort("due_at", DESCENDING)}
    batch = load(session, sorted(timers))
    moving = [walk for walk in batch.walks if walk.moves]
    done = [timers[walk.id]["_id"] for walk in moving if _is_current(walk, timers[walk.id])]
    if done:
        collection(ScheduledAction).update_many(
            {"_id": {"$in": done}}, {"$set": actions.over("completed", now)}, session=session
        )
    # What is not good any more, or must not be now, is canceled with all else of that kind.
    wake = carry(session, batch, now)
    return wake, sum(bool(walk.transitions) for walk in batch.walks)


def _is_current(walk: Walk, action: Row) -> bool:
    return bool(walk.row["state_version"] == action["state_version"])
