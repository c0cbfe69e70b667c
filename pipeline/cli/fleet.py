"""What `headrace status` knows: who fails and why, and how far first listings have got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models import RejectedItem, SyncRun, SyncState
from pipeline.stores import Row, collection

#: Of users that fail in the same way, so many are named.
_NAMED = 3
#: Most rows of each kind.
_MOST = 50

#: What happens next, by the class of the error; see pipeline.errors.
NEXT = {
    "Transient": "tried again by itself",
    "RateLimited": "goes on when the provider allows",
    "ReauthRequired": "the user must connect again",
    "Misconfigured": "needs an operator: see `headrace doctor`",
    "Permanent": "needs an operator: the provider refuses it",
    "CursorExpired": "listed again by itself",
}


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


@dataclass(frozen=True, slots=True)
class Backfill:
    """A first, or full, listing that is under way: `done` of about `total` items."""

    user: str
    source: str
    done: int
    total: int | None
    seconds_left: float | None


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
    listings: Row = {
        "$filter": {
            "input": {"$map": {"input": {"$objectToArray": "$streams"}, "in": "$$this.v.listing"}},
            "cond": {"$eq": [{"$type": "$$this"}, "object"]},
        }
    }
    rows = collection(SyncState).aggregate(
        [
            {"$match": whose},
            {"$project": {"user_id": 1, "source": 1, "listings": listings}},
            {"$match": {"listings": {"$ne": []}}},
            {"$limit": _MOST},
        ]
    )
    return [_backfill(row) for row in rows]


def _backfill(row: Row) -> Backfill:
    listings: list[dict[str, Any]] = row["listings"]
    done = sum(listing["done"] for listing in listings)
    totals = [listing["total"] for listing in listings]
    total = sum(totals) if all(totals) else None
    spent = sum(
        (listing["touched_at"] - listing["started_at"]).total_seconds() for listing in listings
    )
    left = None
    if total is not None and done and spent:
        left = max(0, total - done) * spent / done
    return Backfill(row["user_id"], row["source"], done, total, left)


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
class GraphFailure:
    """Users whose graph could not be advanced, for the same reason."""

    reason: str
    users: int
    next_try: datetime


def graph_failures(user_id: str | None = None) -> list[GraphFailure]:
    """Return why graphs lag behind; one that only has work to do does not fail."""
    whose: Row = {"user_id": user_id} if user_id else {}
    graph = "projections.graph"
    rows = collection(SyncState).aggregate(
        [
            {
                "$match": {
                    **whose,
                    f"{graph}.due_at": {"$ne": None},
                    f"{graph}.failures": {"$gt": 0},
                }
            },
            {
                "$group": {
                    "_id": f"${graph}.error",
                    "users": {"$addToSet": "$user_id"},
                    "next_try": {"$min": f"${graph}.due_at"},
                }
            },
            {"$project": {"users": {"$size": "$users"}, "next_try": 1}},
            {"$sort": {"users": -1, "_id": 1}},
            {"$limit": _MOST},
        ]
    )
    return [GraphFailure(error_text(row["_id"]), row["users"], row["next_try"]) for row in rows]


def error_text(error: Row | None) -> str:
    """Return the message of a stored error, or its class where the message is not to be told."""
    return (error or {}).get("message") or (error or {}).get("class") or ""


def runs(user_id: str, most: int = 8) -> list[Row]:
    """Return the newest syncs of a user, without what is internal."""
    newest = collection(SyncRun).find({"user_id": user_id}, {"_id": 0, "expires_at": 0})
    return list(newest.sort("started_at", -1).limit(most))
