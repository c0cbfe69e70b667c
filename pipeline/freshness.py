"""How fresh the fleet is, per source: one aggregation over the sync states of each.

A copy is **within target**, or fresh, as long as its `stale_at` lies ahead.  A
sync sets that to its own start plus the freshness target, or plus what the
cadence promises for a user whose data rarely changes, if that is longer
(`pipeline.sync.cadence.promise_seconds`).  From the moment that a provider or a
person says that there is news, the copy is known to lag, and has the target's
time to catch up.  So a user who changes something twice a day is not late for
being looked at once an hour; one whose change we know of, and have not fetched
in time, is.

Ages are something else: the time since `fresh_as_of`, the start of the last
sync that got to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models import Connection, Subscription, SyncState
from pipeline.config import settings
from pipeline.sources import SOURCES, projections_of
from pipeline.stores import Row, collection

#: A subscription that has less than this left should have been renewed.
ENDING = timedelta(hours=4)
#: Ages in seconds that the distribution over users is counted by.
AGE_BUCKETS = (60, 300, 600, 900, 1800, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)


@dataclass(slots=True)
class SourceFreshness:
    """All users of one source at one moment.

    `fresh` counts users within target.  `ages` counts users whose copy is at most
    as old as each of AGE_BUCKETS; users that were never synced are in none of
    them.  `lag` is the number of changes that the graph has not seen, `behind` the
    same for each projection.
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
    behind: dict[str, int] = field(default_factory=dict)
    oldest_seconds: float | None = None
    ages: list[int] = field(default_factory=lambda: [0] * len(AGE_BUCKETS))
    age_sum_seconds: float = 0.0

    @property
    def share(self) -> float:
        """Return the share of users within the target; 1 where there are none."""
        return self.fresh / self.users if self.users else 1.0


def by_source(
    now: datetime, user_id: str | None = None, *, tenant_id: str | None = None
) -> list[SourceFreshness]:
    """Return the freshness of every source, of all users, of one, or of one tenant's."""
    whose = {"user_id": user_id, "tenant_id": tenant_id}
    given = {name: value for name, value in whose.items() if value is not None}
    return [_of(source, now, given) for source in SOURCES]


def _of(source: str, now: datetime, whose: Row) -> SourceFreshness:
    target = settings().freshness_target_seconds(source)
    projections = projections_of(source)
    freshness = SourceFreshness(source, target, behind=dict.fromkeys(projections, 0))
    match: Row = {"source": source} | whose
    for row in collection(SyncState).aggregate(_pipeline(match, now, target, projections)):
        for name in projections:
            freshness.behind[name] += row[f"behind_{name}"]
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


def _pipeline(
    match: Row, now: datetime, target_seconds: float, projections: Iterable[str]
) -> list[Row]:
    def younger_than(seconds: float) -> Row:
        return _count({"$gte": ["$fresh_as_of", now - timedelta(seconds=seconds)]})

    lag = _behind("graph")
    due: Row = {
        "$and": [
            {"$ne": [{"$ifNull": ["$next_due_at", None]}, None]},
            {"$lte": ["$next_due_at", now]},
        ]
    }
    group: dict[str, Any] = {
        "_id": "$status",
        "users": {"$sum": 1},
        "fresh": _count({"$gt": [_stale_at(target_seconds), now]}),
        "due": _count({"$or": [due, {"$eq": ["$status", "queued"]}]}),
        "records": {"$sum": "$records"},
        "rejected": {"$sum": "$rejected"},
        "lag": {"$sum": lag},
        "lagging_users": _count({"$gt": [lag, 0]}),
        "oldest": {"$min": "$fresh_as_of"},
        "age_sum_ms": {"$sum": {"$subtract": [now, "$fresh_as_of"]}},
        **{f"behind_{name}": {"$sum": _behind(name)} for name in projections},
        **{f"age_{seconds}": younger_than(seconds) for seconds in AGE_BUCKETS},
    }
    return [{"$match": match}, {"$group": group}]


def _behind(projection: str) -> Row:
    return {"$subtract": ["$seq", {"$ifNull": [f"$projections.{projection}.seq", 0]}]}


def _stale_at(target_seconds: float) -> Row:
    """Return when a state is stale; one from before that was stored has its target's time."""
    by_target: Row = {"$add": ["$fresh_as_of", int(target_seconds * 1000)]}
    return {"$ifNull": ["$stale_at", by_target]}


def stale_at(state: Row) -> datetime | None:
    """Return when the copy of a state is, or was, no longer within target; None: it never was."""
    stored: datetime | None = state.get("stale_at")
    fresh_as_of: datetime | None = state.get("fresh_as_of")
    if stored is not None or fresh_as_of is None:
        return stored
    target_seconds = settings().freshness_target_seconds(state["source"])
    return fresh_as_of + timedelta(seconds=target_seconds)


def is_fresh(state: Row, now: datetime) -> bool:
    """Return whether the copy of a state is within target."""
    until = stale_at(state)
    return until is not None and until > now


def _count(condition: Row) -> Row:
    return {"$sum": {"$cond": [condition, 1, 0]}}


def connections_by_status() -> dict[tuple[str, str], int]:
    """Return how many connections there are, by (provider, status)."""
    rows = collection(Connection).aggregate(
        [{"$group": {"_id": {"p": "$provider", "s": "$status"}, "n": {"$sum": 1}}}]
    )
    return {(row["_id"]["p"], row["_id"]["s"]): row["n"] for row in rows}


def subscriptions_ending(now: datetime) -> dict[tuple[str, ...], int]:
    """Return how many active subscriptions nobody has renewed although they end soon, by source.

    All are renewed hours before that: each of these is one that could not be.
    """
    soon = {"status": "active", "expires_at": {"$lt": now + ENDING}}
    found: dict[tuple[str, ...], int] = {(source,): 0 for source in SOURCES}
    for row in collection(Subscription).aggregate(
        [
            {"$match": {"source": {"$in": list(SOURCES)}} | soon},
            {"$group": {"_id": "$source", "n": {"$sum": 1}}},
        ]
    ):
        found[row["_id"],] = row["n"]
    return found


def subscriptions_by_status() -> dict[tuple[str, str], int]:
    """Return how many push subscriptions there are, by (source, status)."""
    rows = collection(Subscription).aggregate(
        [
            {"$match": {"source": {"$in": list(SOURCES)}}},
            {"$group": {"_id": {"source": "$source", "status": "$status"}, "n": {"$sum": 1}}},
        ]
    )
    return {(row["_id"]["source"], row["_id"]["status"]): row["n"] for row in rows}
