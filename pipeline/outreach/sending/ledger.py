"""What is written of a message that was claimed, each time on condition that it is still ours.

An answer that comes late, when the claim has ended and the message counts as unknown, still
tells what became of it; one to a claim that another has followed tells nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession

from models import OutboundMessage
from pipeline.errors import LeaseLost
from pipeline.stores import Row, collection

#: What a message has only while it is open whether it was sent.
_WHILE_OPEN = ("lease_until", "reconcile_due_at")
#: States in which it is open.
OPEN = ("sending", "unknown")


def not_sent(
    message: Row,
    state: str,
    why: str,
    now: datetime,
    session: ClientSession | None = None,
    *,
    free: bool = False,
    **also: Any,
) -> None:
    """Write that a claimed message was certainly not sent; `free` gives the attempt back.

    Raises LeaseLost if another claim has followed, or it turned out that it was sent.
    """
    update: Row = {
        "$set": {"state": state, "error": why, "updated_at": now} | also,
        "$unset": dict.fromkeys((*_WHILE_OPEN, "handed_over_at"), ""),
    }
    write(message, update | ({"$inc": {"attempts": -1}} if free else {}), session)


def unknown(
    message: Row, why: str, ask_at: datetime, now: datetime, session: ClientSession
) -> None:
    """Write that nobody knows yet whether a claimed message was sent.  Raises LeaseLost."""
    fresh = {
        "state": "unknown",
        "error": why,
        "reconcile_due_at": ask_at,
        "reconciliation": "it will be looked whether the message was sent",
        "updated_at": now,
    }
    update = {"$set": fresh, "$unset": {"lease_until": ""}}
    write(message, update, session)


def sent(
    message: Row,
    at: datetime,
    now: datetime,
    session: ClientSession,
    **also: Any,
) -> None:
    """Write that a message was sent, `at` the earliest when it was handed over.

    Raises LeaseLost if another claim has followed.
    """
    at = max(at, message.get("handed_over_at") or at)
    fresh = {"state": "sent", "sent_at": at, "updated_at": now} | also
    gone: Mapping[str, str] = dict.fromkeys((*_WHILE_OPEN, "error"), "")
    mine = _mine(message) | {"state": {"$ne": "sent"}}
    rows = collection(OutboundMessage)
    if rows.update_one(mine, {"$set": fresh, "$unset": gone}, session=session).matched_count:
        return
    # An event was quicker than the answer, and has proved the same.
    is_sent = _mine(message) | {"state": "sent"}
    if not rows.update_one(is_sent, {"$set": also}, session=session).matched_count:
        raise LeaseLost("somebody else has claimed this message since")


def write(message: Row, update: Row, session: ClientSession | None = None) -> None:
    """Write what a claim has come to.  Raises LeaseLost."""
    mine = _mine(message) | {"state": {"$in": list(OPEN)}}
    if not collection(OutboundMessage).update_one(mine, update, session=session).matched_count:
        raise LeaseLost("somebody else has claimed this message since, or it is settled")


def _mine(message: Row) -> Row:
    return {"_id": message["_id"], "fence": message["fence"]}
