"""Telling a user of what was suggested: once each time that it is suggested anew."""

from __future__ import annotations

from models import Pattern
from pipeline.mailbox import notifying
from pipeline.stores import Row, collection

_DONE = {
    "delete": "deleted",
    "move": "moved to the same folder",
    "archive": "archived",
    "mark_read": "read at once",
}


def tell(mailbox: Row) -> int:
    """Tell the user of every suggestion that the user was not told of; returns of how many.

    One that could not be told, because the process ended, is told at the next look.
    """
    untold = {
        "user_id": mailbox["user_id"],
        "mailbox_id": mailbox["_id"],
        "status": "suggested",
        "$expr": {"$lt": [{"$ifNull": ["$notified_version", 0]}, "$version"]},
    }
    return sum(_tell(pattern) for pattern in list(collection(Pattern).find(untold)))


def _tell(pattern: Row) -> bool:
    pattern_id, version = str(pattern["_id"]), pattern["version"]
    told = notifying.notify(
        pattern["user_id"],
        "pattern_detected",
        f"pattern_detected:{pattern_id}:{version}",
        "A habit was found in your mailbox",
        _in_words(pattern),
        related=("pattern", pattern_id),
    )
    key = {"_id": pattern["_id"]}
    collection(Pattern).update_one(key, {"$max": {"notified_version": version}})
    return told


def _in_words(pattern: Row) -> str:
    """Return what the user does.  It does not say with whose mail: see the pattern for that."""
    arrived = pattern["sample_size"]
    acted = arrived - pattern["exception_count"]
    done = _DONE[pattern["suggested_action"]["action_type"]]
    return (
        f"Of {arrived:,} mails of one sender, {acted:,} were {done}.  "
        "Approve it to have that done for you, or reject it."
    )
