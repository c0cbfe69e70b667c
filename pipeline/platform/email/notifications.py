"""Mail of what users are told, for those who want to be told at once."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING

from models import Notification, User
from pipeline.platform.email.deliveries import queue
from pipeline.platform.email.preferences import mode_of
from pipeline.stores import Row, collection


def mail(notification_id: str) -> str:
    """Queue the mail of a notification, once, if its user wants it; say what was decided.

    What belongs into the digest is left to that, and what was read meanwhile needs no mail.
    """
    rows, mine = collection(Notification), {"_id": ObjectId(notification_id)}
    row = rows.find_one(mine | {"mail_due_at": {"$ne": None}})
    if row is None:
        return "decided before"
    user = collection(User).find_one({"_id": row["user_id"]})
    mode = "off" if user is None or row["is_read"] else mode_of(user, row["type"])
    if mode == "instant":
        _queue(row)
    rows.update_one(mine, {"$unset": {"mail_due_at": ""}})
    return {"instant": "queued", "digest": "left to the digest"}.get(mode, "not wanted")


def due(now: datetime, limit: int) -> list[Row]:
    """Return notifications of which nothing was decided yet, the oldest first."""
    wanted: Row = {"mail_due_at": {"$lte": now}}
    rows = collection(Notification).find(wanted, {"tenant_id": 1})
    return list(rows.sort("mail_due_at", ASCENDING).limit(limit))


def _queue(row: Row) -> None:
    queue(
        f"notification:{row['_id']}",
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        template="notification",
        context={
            "title": row["title"],
            "message": row["message"],
            "kind": row["type"],
            "priority": row["priority"],
        },
        urgency="urgent" if row["priority"] == "high" else "normal",
        by="notification",
    )
