"""Who is beyond the freshness target, by source and status: what a dashboard asks again and again.

`pipeline.freshness` tells more, and reads every sync state for it; here an index suffices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from models import SyncState
from pipeline.config import settings
from pipeline.sources import SOURCES
from pipeline.stores import collection


@dataclass(slots=True)
class Share:
    """The users of one source: how many are within target, and the statuses of the `late` others.

    `oldest` is the oldest `fresh_as_of` of any; users that were never synced have none.
    """

    source: str
    target_seconds: float
    users: int = 0
    fresh: int = 0
    late: dict[str, int] = field(default_factory=dict)
    oldest: datetime | None = None

    @property
    def share(self) -> float:
        """Return the share of users within target; 1 where there are none."""
        return self.fresh / self.users if self.users else 1.0


def shares(now: datetime) -> list[Share]:
    """Return the share within target of every source that has users."""
    return [share for share in (_of(source, now) for source in SOURCES) if share.users]


def _of(source: str, now: datetime) -> Share:
    found = Share(source, settings().freshness_target_seconds(source))
    fresh = {"$sum": {"$cond": [{"$gt": ["$stale_at", now]}, 1, 0]}}
    rows = collection(SyncState).aggregate(
        [
            {"$match": {"source": source}},
            # These fields are all in one index; the documents, ten times as large, are not read.
            {"$project": {"_id": 0, "status": 1, "stale_at": 1}},
            {"$group": {"_id": "$status", "users": {"$sum": 1}, "fresh": fresh}},
        ]
    )
    for row in rows:
        found.users += row["users"]
        found.fresh += row["fresh"]
        if late := row["users"] - row["fresh"]:
            found.late[row["_id"]] = late
    if found.users:
        found.oldest = _oldest(source)
    return found


def _oldest(source: str) -> datetime | None:
    row = collection(SyncState).find_one(
        {"source": source, "fresh_as_of": {"$type": "date"}},
        {"_id": 0, "fresh_as_of": 1},
        sort=[("fresh_as_of", 1)],
    )
    oldest: datetime | None = row["fresh_as_of"] if row else None
    return oldest
