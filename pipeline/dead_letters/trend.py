"""How many dead letters are new today, against the days before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from models import DeadLetter
from pipeline.stores import collection

_DAYS = 7


@dataclass(frozen=True, slots=True)
class Trend:
    """Open letters, those of causes new today (UTC), and the median of the 7 days before."""

    open: int
    today: int
    median: float

    @property
    def unusual(self) -> bool:
        """Return whether today is clearly above what is usual."""
        return self.today > max(2 * self.median, self.median + 5)


def trend(now: datetime) -> Trend:
    """Return how today compares.  Letters that were dismissed or replayed count as well."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=_DAYS)
    counted = collection(DeadLetter).aggregate(
        [
            {"$match": {"first_seen_at": {"$gte": first}}},
            # With nothing else of a letter asked for, the index alone answers.
            {"$project": {"_id": 0, "first_seen_at": 1}},
            {
                "$group": {
                    "_id": {"$dateTrunc": {"date": "$first_seen_at", "unit": "day"}},
                    "n": {"$sum": 1},
                }
            },
        ]
    )
    by_day = {row["_id"]: row["n"] for row in counted}
    before = [by_day.get(midnight - timedelta(days=back), 0) for back in range(1, _DAYS + 1)]
    opened = collection(DeadLetter).count_documents({"status": "open"})
    return Trend(opened, by_day.get(midnight, 0), median(before))
