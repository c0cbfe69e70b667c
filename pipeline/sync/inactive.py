"""Users who are not active: their sources are paused until they are again."""

from __future__ import annotations

from models import SyncState, User
from pipeline.errors import Permanent
from pipeline.stores import Row, collection
from pipeline.sync.reauth import hold
from pipeline.sync.states import HELD

NOT_ACTIVE = "its user is not active"


def is_inactive(user_id: str) -> bool:
    """Return whether a user was set inactive."""
    return collection(User).find_one({"_id": user_id, "is_active": False}, {"_id": 1}) is not None


def admit(user_id: str) -> None:
    """Raise Permanent if a user is not active."""
    if is_inactive(user_id):
        raise Permanent(f"user {user_id!r} is not active; activate the user first")


def pause(user_id: str) -> None:
    """Pause the sources of a user who is not active; safe to repeat.

    A run under way can write nothing more.  What is held for another reason stays so.
    """
    error = {"class": "NotActive", "message": NOT_ACTIVE}
    paused: Row = {
        "status": "paused",
        "inactive_since": "$$NOW",
        "last_error": {"$literal": error},
    }
    hold({"user_id": user_id, "status": {"$nin": list(HELD)}}, paused)


def resume(user_id: str) -> list[str]:
    """Make due what was paused because its user was not active, and return these sources.

    What had to wait for its user meanwhile waits on.
    """
    waits: Row = {"$eq": ["$last_error.class", "ReauthRequired"]}
    resumed: Row = {
        "status": {"$cond": [waits, "needs_reauth", "idle"]},
        "next_due_at": {"$cond": [waits, None, "$$NOW"]},
        "last_error": {"$cond": [waits, "$last_error", None]},
        "requested_at": "$$NOW",
        "consecutive_failures": 0,
        "inactive_since": "$$REMOVE",
    }
    states, whose = collection(SyncState), {"user_id": user_id}
    paused = {"status": "paused", "inactive_since": {"$ne": None}}
    states.update_many(whose | paused, [{"$set": resumed}])
    return sorted(states.distinct("source", whose | {"status": {"$nin": list(HELD)}}))
