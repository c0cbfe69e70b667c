"""How fresh the fleet is, per source: one aggregation over the sync states of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models import Connection, SyncState
from pipeline.config import settings
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection

#: Ages in seconds that the distribution over users is counted by.
AGE_BUCKETS = (60, 300, 600, 900, 1800, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)


@dataclass(slots=True)
class SourceFreshness:
    """All users of one source at one moment.

    `ages` counts users whose copy is at most as old as each of AGE_BUCKETS;
    users that were never synced are in none of them.  `lag` is the number of
    changes that the graph has not seen.
    """

    source: str
    target_seconds: float
    users: int = 0
    fresh: int = 0
    due: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    records: int = 0
    rejected: int = 0
    lag: int = 0
    lagging_users: int = 0
    oldest_seconds: float | None = None
    ages: list[int] = field(default_factory=lambda: [0] * len(AGE_BUCKETS))
    age_sum_seconds: float = 0.0

    @property
    def share(self) -> float:
        """Return the share of users within the target; 1 where there are none."""
        return self.fresh / self.users if self.users else 1.0


def by_source(now: datetime, user_id: str | None = None) -> list[SourceFreshness]:
    """Return the freshness of every source, of all users or of one."""
    return [_of(source, now, user_id) for source in SOURCES]


def _of(source: str, now: datetime, user_id: str | None) -> SourceFreshness:
    target = settings().freshness_target_seconds(source)
    freshness = SourceFreshness(source, target)
    match: Row = {"source": source} | ({"user_id": user_id} if user_id else {})
    for row in collection(SyncState).aggregate(_pipeline(match, now, target)):
        freshness.statuses[row["_id"]] = row["users"]
        for name in ("users", "fresh", "due", "records", "rejected", "lag", "lagging_users"):
            setattr(freshness, name, getattr(freshness, name) + row[name])
        freshness.ages = [
            total + row[f"age_{seconds}"]
            for total, seconds in zip(freshness.ages, AGE_BUCKETS, strict=True)
        ]
        freshness.age_sum_seconds += row["age_sum_ms"] / 1000
        if row["oldest"] is not None:
            age = (now - row["oldest"]).total_seconds()
            freshness.oldest_seconds = max(age, freshness.oldest_seconds or 0.0)
    return freshness


def _pipeline(match: Row, now: datetime, target_seconds: float) -> list[Row]:
    def younger_than(seconds: float) -> Row:
        return _count({"$gte": ["$fresh_as_of", now - timedelta(seconds=seconds)]})

    lag: Row = {"$subtract": ["$seq", {"$ifNull": ["$projections.graph.seq", 0]}]}
    due: Row = {
        "$and": [
            {"$ne": [{"$ifNull": ["$next_due_at", None]}, None]},
            {"$lte": ["$next_due_at", now]},
        ]
    }
    group: dict[str, Any] = {
        "_id": "$status",
        "users": {"$sum": 1},
        "fresh": younger_than(target_seconds),
        "due": _count({"$or": [due, {"$eq": ["$status", "queued"]}]}),
        "records": {"$sum": "$records"},
        "rejected": {"$sum": "$rejected"},
        "lag": {"$sum": lag},
        "lagging_users": _count({"$gt": [lag, 0]}),
        "oldest": {"$min": "$fresh_as_of"},
        "age_sum_ms": {"$sum": {"$subtract": [now, "$fresh_as_of"]}},
        **{f"age_{seconds}": younger_than(seconds) for seconds in AGE_BUCKETS},
    }
    return [{"$match": match}, {"$group": group}]


def _count(condition: Row) -> Row:
    return {"$sum": {"$cond": [condition, 1, 0]}}


def connections_by_status() -> dict[tuple[str, str], int]:
    """Return how many connections there are, by (provider, status)."""
    rows = collection(Connection).aggregate(
        [{"$group": {"_id": {"p": "$provider", "s": "$status"}, "n": {"$sum": 1}}}]
    )
    return {(row["_id"]["p"], row["_id"]["s"]): row["n"] for row in rows}
