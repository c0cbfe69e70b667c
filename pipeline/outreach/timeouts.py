"""The end of a wait: a timer of one contact fires."""

from __future__ import annotations

from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from models import ScheduledAction
from models.outreach import ACTION_OPEN
from pipeline.errors import Gone, Unfinished
from pipeline.outreach import actions
from pipeline.outreach.advancing import Wake, carry
from pipeline.outreach.batches import Walk, load
from pipeline.outreach.promoting import horizon, nudge
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection


def fire(action_id: str) -> str:
    """End a wait if it is still on, and say in words what came of it.  Safe to run twice.

    A second job of the same timer finds it completed.  One that comes late moves the contact on
    as of the deadline; one for a state that is over, or while all is paused, does nothing.
    Raises Gone if there is no such action, Unfinished if it is due in a moment.
    """
    action = collection(ScheduledAction).find_one({"_id": action_id, "kind": "timeout"})
    if action is None:
        raise Gone("there is no such timer")
    now = datetime.now(UTC)
    if action["status"] not in ACTION_OPEN:
        return f"nothing to do: it is {action['status']}"
    if action["due_at"] > now:
        return _wait_on(action, now)

    def work(session: ClientSession) -> tuple[Wake, str]:
        return _fire(session, action_id, now)

    wake, said = transaction(work)
    nudge(wake)
    return said


def _fire(session: ClientSession, action_id: str, now: datetime) -> tuple[Wake, str]:
    action = collection(ScheduledAction).find_one({"_id": action_id}, session=session) or {}
    if action.get("status") not in ACTION_OPEN:
        return Wake(), "nothing to do any more"
    batch = load(session, [action["enrollment_id"]])
    walk = batch.walks[0] if batch.walks else None
    if walk is None or (walk.moves and _is_current(walk, action)):
        status = "completed" if walk else "canceled"
        collection(ScheduledAction).update_one(
            {"_id": action_id}, {"$set": actions.over(status, now)}, session=session
        )
    # What is not good any more, or must not be now, is canceled with all else of that kind.
    wake = carry(session, batch, now)
    return wake, _said(walk, action)


def _is_current(walk: Walk, action: Row) -> bool:
    return bool(walk.row["state_version"] == action["state_version"])


def _said(walk: Walk | None, action: Row) -> str:
    if walk is None:
        return "the enrollment is gone"
    if not walk.transitions:
        return "nothing followed"
    return f"{action['event']}: now {walk.row['status']} at {walk.row['node_id']}"


def _wait_on(action: Row, now: datetime) -> str:
    """Wait for a timer that was fired too early: by a clock that is ahead, or by hand.

    Raises Unfinished if that is soon; else it waits like all others.
    """
    early = action["due_at"] - now
    if early <= horizon():
        raise Unfinished(early.total_seconds())
    actions.put_back([action["_id"]], action["due_at"], action.get("because") or "", now)
    return "it is not due yet"
