"""How far a listing is, and when it will be done: by the pace that it had so far."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.stores import Row


@dataclass(frozen=True, slots=True)
class Backfill:
    """A first, or full, listing that is under way: `done` of about `total` items.

    `total` is None where the provider does not say, `seconds_left` while nothing
    was measured.
    """

    user: str
    source: str
    done: int
    total: int | None
    seconds_left: float | None

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1; None if that is not known."""
        return min(1.0, self.done / self.total) if self.total else None


#: Of a state, as an aggregation expression: its listings that are under way.
LISTINGS: Row = {
    "$filter": {
        "input": {
            "$map": {
                "input": {"$objectToArray": {"$ifNull": ["$streams", {}]}},
                "in": "$$this.v.listing",
            }
        },
        "cond": {"$eq": [{"$type": "$$this"}, "object"]},
    }
}


def backfill_of(user_id: str, source: str, listings: list[Row]) -> Backfill | None:
    """Return how far the listings of one state are together; None if there are none."""
    if not listings:
        return None
    done = sum(listing["done"] for listing in listings)
    totals = [listing["total"] for listing in listings]
    total = sum(totals) if all(totals) else None
    spent = sum(
        (listing["touched_at"] - listing["started_at"]).total_seconds() for listing in listings
    )
    left = None
    if total is not None and done and spent:
        left = max(0, total - done) * spent / done
    return Backfill(user_id, source, done, total, left)
