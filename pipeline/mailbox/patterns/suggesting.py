"""Telling a user of what was suggested: once each time that it is suggested anew."""

from __future__ import annotations

from pymongo import UpdateOne

from models import Pattern
from pipeline.mailbox import notifying
from pipeline.mailbox.patterns.rows import written
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
    patterns = list(collection(Pattern).find(untold))
    told = sum(map(_tell, patterns))
    writes = [
        UpdateOne({"_id": one["_id"]}, {"$max": {"notified_version": one["version"]}})
        for one in patterns
    ]
    written(writes)
    return told


def _tell(pattern: Row) -> bool:
    pattern_id, version = str(pattern["_id"]), pattern["version"]
    return notifying.notify(
        pattern["user_id"],
        "pattern_detected",
        f"pattern_detected:{pattern_id}:{version}",
        "A habit was found in your mailbox",
        _in_words(pattern),
        related=("pattern", pattern_id),
    )


def _in_words(pattern: Row) -> str:
    """Return what the user does.  It does not say with whose mail: see the pattern for that."""
    arrived = pattern["sample_size"]
    acted = arrived - pattern["exception_count"]
    done = _DONE[pattern["suggested_action"]["action_type"]]
    return (
        f"Of {arrived:,} mails of one sender, {acted:,} were {done}.  "
        "Approve it to have that done for you, or reject it."
    )
