"""Learning that a message was sent after all: from its provider, an event, or a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pymongo import UpdateOne
from pymongo.client_session import ClientSession

from models import OutboundMessage, ScheduledAction
from pipeline.outreach import actions
from pipeline.stores import Row, collection

#: Statuses of an action whose message may yet turn out to have been sent.
_NOT_OVER = ("pending", "queued", "error")


def proven(session: ClientSession, proofs: Mapping[str, datetime], how: str) -> set[str]:
    """Write that messages were sent, at these times by their ids, in the caller's transaction.

    Whatever their state is: who has an event of a message knows better.  `how` says in words
    what proves it.  Returns the enrollments of those of which it was not known: they are to be
    advanced, which has their clocks run.
    """
    if not proofs:
        return set()
    unproved = {"_id": {"$in": list(proofs)}, "state": {"$ne": "sent"}}
    rows = list(collection(OutboundMessage).find(unproved, _FIELDS, session=session))
    if not rows:
        return set()
    now = datetime.now(UTC)
    writes = [_sent(row, proofs[row["_id"]], how, now) for row in rows]
    collection(OutboundMessage).bulk_write(writes, ordered=False, session=session)
    for row in rows:
        _close(row, now, session)
    return {str(row["enrollment_id"]) for row in rows}


_FIELDS = {"enrollment_id": 1, "node_id": 1, "handed_over_at": 1}


def _sent(row: Row, at: datetime, how: str, now: datetime) -> UpdateOne:
    at = min(max(at, row.get("handed_over_at") or at), now)
    fresh = {"state": "sent", "sent_at": at, "reconciliation": how, "updated_at": now}
    gone = dict.fromkeys(("lease_until", "reconcile_due_at", "error"), "")
    return UpdateOne({"_id": row["_id"], "state": {"$ne": "sent"}}, {"$set": fresh, "$unset": gone})


def _close(row: Row, now: datetime, session: ClientSession) -> None:
    """Complete the action that the message was sent for."""
    of_message = {
        "enrollment_id": row["enrollment_id"],
        "status": {"$in": list(_NOT_OVER)},
        "kind": "send",
        "node_id": row["node_id"],
    }
    fresh = actions.over("completed", now)
    collection(ScheduledAction).update_many(of_message, {"$set": fresh}, session=session)
