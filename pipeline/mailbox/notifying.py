"""What users are told: each thing once, by its key.

Those who want to be told by mail are, by the jobs of the email queue.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError
from redis.exceptions import RedisError

from models import DEFAULT_TENANT, Notification, User
from pipeline import dispatch
from pipeline.config import settings
from pipeline.stores import Row, collection

logger = logging.getLogger(__name__)

#: What a notification may be about: its kind and id.
Related = tuple[str, str]


def notify(
    user_id: str,
    kind: str,
    key: str,
    title: str,
    message: str,
    *,
    related: Related | None = None,
    priority: str = "normal",
) -> bool:
    """Tell a user something; False, and nothing is written, if they were told of `key` before.

    Whoever may be repeated gives the same key again: ("pattern_detected:<id>:<version>").
    """
    tenant_id = _tenant_of(user_id)
    if tenant_id is None:
        return False
    row = _row(tenant_id, kind, title, message, related, priority)
    made = _insert({"user_id": user_id, "key": key}, row)
    if made is not None:
        _nudge(made, tenant_id)
    return made is not None


def _nudge(notification_id: str, tenant_id: str) -> None:
    """Have it be mailed at once; without Redis the next tick does it."""
    try:
        dispatch.send("mail_notification", notification_id, tenant_id=tenant_id)
    except RedisError as error:
        logger.warning("nudge failed", extra={"reason": type(error).__name__})


def retell(
    user_id: str,
    kind: str,
    key: str,
    title: str,
    message: str,
    *,
    related: Related | None = None,
    priority: str = "normal",
    again: bool = True,
) -> bool:
    """Tell something whose words change, such as a count; False if they are as they were.

    The one notification of `key` gets the new words, and with `again` it is unread again.
    """
    wanted = {"user_id": user_id, "key": key}
    words: Row = {"title": title, "message": message, "updated_at": datetime.now(UTC)}
    update: Row = {"$set": words}
    if again:
        update = {"$set": words | {"is_read": False}, "$unset": {"read_at": ""}}
    changed = collection(Notification).update_one({**wanted, "message": {"$ne": message}}, update)
    if changed.matched_count:
        return True
    return notify(user_id, kind, key, title, message, related=related, priority=priority)


def listed(
    user_id: str, *, unread_only: bool = False, limit: int = 50, before: datetime | None = None
) -> list[Row]:
    """Return a user's notifications, the newest first; with `before`, those older than that."""
    wanted: Row = {"user_id": user_id}
    if unread_only:
        wanted["is_read"] = False
    if before is not None:
        wanted["created_at"] = {"$lt": before}
    found = collection(Notification).find(wanted)
    return list(found.sort([("created_at", DESCENDING), ("_id", DESCENDING)]).limit(limit))


def mark_read(user_id: str, notification_ids: Sequence[str] | None = None) -> int:
    """Mark notifications of a user as read, all by default; return how many were not."""
    wanted: Row = {"user_id": user_id, "is_read": False}
    if notification_ids is not None:
        wanted["_id"] = {"$in": [_id for text in notification_ids if (_id := _object_id(text))]}
    now = datetime.now(UTC)
    read = {"is_read": True, "read_at": now, "updated_at": now}
    return int(collection(Notification).update_many(wanted, {"$set": read}).modified_count)


def unread_count(user_id: str) -> int:
    """Return how many notifications a user has not read."""
    return int(collection(Notification).count_documents({"user_id": user_id, "is_read": False}))


def _object_id(text: str) -> ObjectId | None:
    try:
        return ObjectId(text)
    except (InvalidId, TypeError):
        return None


def _row(
    tenant_id: str, kind: str, title: str, message: str, related: Related | None, priority: str
) -> Row:
    now = datetime.now(UTC)
    row: Row = {
        "tenant_id": tenant_id,
        "type": kind,
        "title": title,
        "message": message,
        "is_read": False,
        "priority": priority,
        "created_at": now,
        "updated_at": now,
        "expires_at": now + timedelta(days=settings().notification_retention_days),
        "mail_due_at": now,
    }
    if related:
        row["related_entity"] = {"entity_type": related[0], "entity_id": related[1]}
    return row


def _tenant_of(user_id: str) -> str | None:
    """Return the tenant of a user; None if there is no such user, who is told nothing."""
    user: Row | None = collection(User).find_one({"_id": user_id}, {"tenant_id": 1})
    return None if user is None else str(user.get("tenant_id") or DEFAULT_TENANT)


def _insert(wanted: Row, row: Row) -> str | None:
    """Return the id of a new notification; None if there is one of that key."""
    fresh = {"_id": ObjectId(), **row}
    try:
        before = collection(Notification).find_one_and_update(
            wanted, {"$setOnInsert": fresh}, upsert=True, return_document=ReturnDocument.BEFORE
        )
    except DuplicateKeyError:  # somebody else told it just now
        return None
    return str(fresh["_id"]) if before is None else None
