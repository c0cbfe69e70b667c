"""What users are told once a day: what is ahead, what has happened, and what waits for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING

from models import DEFAULT_TENANT, EmailDelivery, Notification, Record, StagedEmail, User
from pipeline import quiet_hours
from pipeline.platform.email.deliveries import queue
from pipeline.platform.email.preferences import mode_of, next_digest, preferences_of, zone_name
from pipeline.projections.graph.fields import mapping, moment
from pipeline.projections.search.documents import plain
from pipeline.stores import Row, collection

_MOST_EVENTS, _MOST_NOTIFICATIONS = 20, 20
#: What was not read is told once within this; so many of it are looked at.
_TELLABLE, _MOST_UNREAD = timedelta(days=7), 500
_TITLE_CHARACTERS = 200


def due(now: datetime, limit: int) -> list[Row]:
    """Return users whose digest is due; who has no such time yet gets one first."""
    users = collection(User)
    for user in users.find({"digest_due_at": None, "is_active": {"$ne": False}}).limit(limit):
        unplanned = {"_id": user["_id"], "digest_due_at": None}
        users.update_one(unplanned, {"$set": {"digest_due_at": next_digest(user, now)}})
    found = users.find({"digest_due_at": {"$lte": now}}, {"tenant_id": 1})
    return list(found.sort("digest_due_at", ASCENDING).limit(limit))


def make(user_id: str, *, now: datetime | None = None, by: str = "digest") -> str | None:
    """Queue today's digest of a user, once a day by the user's clock; return its delivery.

    None if there is nothing to tell, or the user wants none.  Then the next one is planned.
    """
    user = collection(User).find_one({"_id": user_id})
    if user is None:
        return None
    at = now or datetime.now(UTC)
    made = _queued(user, at, by) if _wanted(user) else None
    planned = {"$set": {"digest_due_at": next_digest(user, at)}}
    collection(User).update_one({"_id": user_id}, planned)
    return made


def _wanted(user: Row) -> bool:
    wanted = preferences_of(user)
    return bool(user.get("is_active", True) and wanted["enabled"] and wanted["digest"])


def _queued(user: Row, now: datetime, by: str) -> str | None:
    zone = quiet_hours.zone_of(zone_name(user))
    local = now.astimezone(zone)
    context = {
        "day": f"{local:%A}, {local.day} {local:%B}",
        "events": _events(user, local),
        "notifications": _notifications(user, now),
        "staged": collection(StagedEmail).count_documents(
            {"user_id": user["_id"], "status": "staged"}
        ),
    }
    if not (context["events"] or context["notifications"] or context["staged"]):
        return None
    return queue(
        f"digest:{user['_id']}:{local:%Y-%m-%d}",
        tenant_id=user.get("tenant_id") or DEFAULT_TENANT,
        user_id=user["_id"],
        template="digest",
        context=context,
        urgency="digest",
        by=by,
    )


def _notifications(user: Row, now: datetime) -> list[dict[str, str]]:
    """Return what the user has not read, of the types that belong here: the newest, in order.

    Digests say what they have told, rather than since when: one may be early, late or left out.
    """
    wanted = {
        "user_id": user["_id"],
        "is_read": False,
        "created_at": {"$gt": now - _TELLABLE},
        "_id": {"$nin": _told(user, now)},
    }
    found = collection(Notification).find(wanted).sort("created_at", DESCENDING)
    fresh = [row for row in found.limit(_MOST_UNREAD) if mode_of(user, row["type"]) == "digest"]
    return [
        {"id": str(row["_id"]), "title": row["title"], "message": row["message"]}
        for row in reversed(fresh[:_MOST_NOTIFICATIONS])
    ]


def _told(user: Row, now: datetime) -> list[ObjectId]:
    """Return the ids of notifications that digests have told of late."""
    wanted = {
        "user_id": user["_id"],
        "template": "digest",
        "created_at": {"$gt": now - 2 * _TELLABLE},
    }
    rows = collection(EmailDelivery).find(wanted, {"context.notifications.id": 1})
    return [ObjectId(one["id"]) for row in rows for one in row["context"]["notifications"] if one]


def _events(user: Row, local: datetime) -> list[dict[str, Any]]:
    """Return what begins on the user's day, in its order; instances of series are left out."""
    begins = local.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = begins + timedelta(days=1)
    wanted: Row = {
        "user_id": user["_id"],
        "source": "google_calendar",
        "deleted_at": None,
        "item.start.dateTime": {
            # Texts of any offset: a day on both sides, and then by the instant.
            "$gte": (begins - timedelta(days=1)).date().isoformat(),
            "$lt": (ends + timedelta(days=1)).date().isoformat(),
        },
    }
    found = []
    for row in collection(Record).find(
        wanted, {"item.start": 1, "item.summary": 1, "item.location": 1}
    ):
        item = mapping(row.get("item"))
        start = mapping(item.get("start"))
        at = moment(start.get("dateTime"), start.get("timeZone"))
        if at is not None and begins <= at < ends:
            found.append((at, item))
    found.sort(key=lambda pair: pair[0])
    return [
        {
            "at": f"{at.astimezone(local.tzinfo):%H:%M}",
            "title": plain(item.get("summary"), _TITLE_CHARACTERS) or "(no title)",
            "place": plain(item.get("location"), _TITLE_CHARACTERS),
        }
        for at, item in found[:_MOST_EVENTS]
    ]
