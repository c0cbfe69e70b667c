"""The fleet, or one user, in groups: who fails and why, and how far first listings have got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models import RejectedItem, SyncRun, SyncState
from pipeline.stores import Row, collection
from pipeline.users.backfill import LISTINGS, Backfill, backfill_of
from pipeline.users.explain import NEXT, error_text

#: Of users that fail in the same way, so many are named.
_NAMED = 3
#: Most rows of each kind.
_MOST = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """Sources of users that fail in the same way.

    `since` is the last success of the one that has waited longest, None if it never had one.
    """

    source: str
    status: str
    error: str
    message: str
    users: int
    examples: list[str]
    since: datetime | None
    next_try: datetime | None

    @property
    def what_next(self) -> str:
        """What happens next, in plain words."""
        if self.status == "needs_reauth":
            return NEXT["ReauthRequired"]
        return NEXT.get(self.error, "tried again by itself")


def failures(user_id: str | None = None) -> list[Failure]:
    """Return what fails, waits for quota or waits for its user; the most frequent first."""
    whose: Row = {"user_id": user_id} if user_id else {}
    never: Row = {"$eq": [{"$ifNull": ["$last_success_at", None]}, None]}
    rows = collection(SyncState).aggregate(
        [
            {"$match": {**whose, "status": {"$in": ["error", "rate_limited", "needs_reauth"]}}},
            {"$sort": {"user_id": 1}},
            {
                "$group": {
                    "_id": {
                        "source": "$source",
                        "status": "$status",
                        "error": {"$ifNull": ["$last_error.class", ""]},
                        "message": {"$ifNull": ["$last_error.message", ""]},
                    },
                    "users": {"$sum": 1},
                    "examples": {"$firstN": {"input": "$user_id", "n": _NAMED}},
                    "since": {"$min": "$last_success_at"},
                    "never": {"$max": never},
                    "next_try": {"$min": "$next_due_at"},
                }
            },
            {"$sort": {"users": -1, "_id": 1}},
            {"$limit": _MOST},
        ]
    )
    return [
        Failure(
            **row["_id"],
            users=row["users"],
            examples=row["examples"],
            since=None if row["never"] else row["since"],
            next_try=row["next_try"],
        )
        for row in rows
    ]


def backfills(user_id: str | None = None) -> list[Backfill]:
    """Return the listings that are under way, one row per source of a user."""
    whose: Row = {"user_id": user_id} if user_id else {}
    rows = collection(SyncState).aggregate(
        [
            {"$match": whose},
            {"$project": {"user_id": 1, "source": 1, "listings": LISTINGS}},
            {"$match": {"listings": {"$ne": []}}},
            {"$limit": _MOST},
        ]
    )
    found = (backfill_of(row["user_id"], row["source"], row["listings"]) for row in rows)
    return [backfill for backfill in found if backfill is not None]


@dataclass(frozen=True, slots=True)
class Rejections:
    """Items that are set aside for the same reason, until a version of them comes that is whole."""

    source: str
    reason: str
    items: int
    newest: datetime


def rejections(user_id: str | None = None) -> list[Rejections]:
    """Return the items that are set aside, by reason; the most frequent first."""
    whose: Row = {"user_id": user_id} if user_id else {}
    rows = collection(RejectedItem).aggregate(
        [
            {"$match": whose},
            {
                "$group": {
                    "_id": {"source": "$source", "reason": "$reason"},
                    "items": {"$sum": 1},
                    "newest": {"$max": "$rejected_at"},
                }
            },
            {"$sort": {"items": -1, "_id": 1}},
            {"$limit": _MOST},
        ]
    )
    return [Rejections(**row["_id"], items=row["items"], newest=row["newest"]) for row in rows]


@dataclass(frozen=True, slots=True)
class ProjectionFailure:
    """Users of whom a projection could not be advanced, for the same reason."""

    reason: str
    users: int
    next_try: datetime


def projection_failures(name: str, user_id: str | None = None) -> list[ProjectionFailure]:
    """Return why a projection lags behind; one that only has work to do does not fail."""
    whose: Row = {"user_id": user_id} if user_id else {}
    field = f"projections.{name}"
    rows = collection(SyncState).aggregate(
        [
            {
                "$match": {
                    **whose,
                    f"{field}.due_at": {"$ne": None},
                    f"{field}.failures": {"$gt": 0},
                }
            },
            {
                "$group": {
                    "_id": f"${field}.error",
                    "users": {"$addToSet": "$user_id"},
                    "next_try": {"$min": f"${field}.due_at"},
                }
            },
            {"$project": {"users": {"$size": "$users"}, "next_try": 1}},
            {"$sort": {"users": -1, "_id": 1}},
            {"$limit": _MOST},
        ]
    )
    return [
        ProjectionFailure(error_text(row["_id"]), row["users"], row["next_try"]) for row in rows
    ]


def runs(user_id: str, most: int = 8) -> list[Row]:
    """Return the newest syncs of a user, without what is internal."""
    newest = collection(SyncRun).find({"user_id": user_id}, {"_id": 0, "expires_at": 0})
    return list(newest.sort("started_at", -1).limit(most))
