"""Reading subscriptions for people: how many, which, and why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from models import SUBSCRIPTION_STATUSES, Subscription
from pipeline.freshness import subscriptions_by_status
from pipeline.push.kinds import KINDS
from pipeline.stores import Row, collection

#: Rows without an end come first: they were refused, or are being asked for.
_NO_END = "none"
_BY_END = [("expires_at", 1), ("_id", 1)]
#: The index that has rows in that order; MongoDB may take another one, and sort a million rows.
LIST_INDEX = [("source", 1), ("status", 1), *_BY_END]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list, which is sorted by when subscriptions end."""

    expires_at: datetime | None
    id: str

    def __str__(self) -> str:
        ends = round(self.expires_at.timestamp() * 1000) if self.expires_at else _NO_END
        return f"{ends}-{self.id}"

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return the place that `str` made `text` of.  Raises ValueError."""
        ends, _, name = text.partition("-")
        if ends == _NO_END and name:
            return cls(None, name)
        if not (ends.isdecimal() and len(ends) < 15 and name):
            raise ValueError(f"{text!r} is not a place in the list of subscriptions")
        return cls(datetime.fromtimestamp(int(ends) / 1000, UTC), name)

    @classmethod
    def of(cls, row: Row) -> Self:
        """Return where `row` stands."""
        return cls(row.get("expires_at"), row["_id"])

    def query(self) -> Row:
        """Return what comes behind it, as a MongoDB query."""
        # Not $or: MongoDB would go two ways at once, and sort what both bring.
        query: Row = {"$nor": [{"expires_at": self.expires_at, "_id": {"$lte": self.id}}]}
        return query | ({"expires_at": {"$gte": self.expires_at}} if self.expires_at else {})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which subscriptions: those of a source, in a status, of a user; None: of all."""

    source: str | None = None
    status: str | None = None
    user_id: str | None = None

    def query(self) -> Row:
        """Return it as a MongoDB query, for which there is an index."""
        sources = [self.source] if self.source else list(KINDS)
        statuses = [self.status] if self.status else list(SUBSCRIPTION_STATUSES)
        query: Row = {"source": {"$in": sources}, "status": {"$in": statuses}}
        return query | ({"user_id": self.user_id} if self.user_id else {})


def listed(wanted: Wanted, limit: int, after: Place | None = None) -> list[Row]:
    """Return the next subscriptions behind `after`, what ends first before the others."""
    query = wanted.query()
    if after is not None:
        query = {"$and": [query, after.query()]}
    found = collection(Subscription).find(query, {"token_hash": 0, "route": 0})
    if wanted.user_id is None:
        found = found.hint(LIST_INDEX)
    return list(found.sort(_BY_END).limit(limit))


def counts(source: str | None = None) -> dict[str, int]:
    """Return how many subscriptions there are, of all or one source, by status."""
    found = dict.fromkeys(SUBSCRIPTION_STATUSES, 0)
    for (name, status), count in subscriptions_by_status().items():
        if source in (None, name):
            found[status] = found.get(status, 0) + count
    return found


def why_none() -> dict[str, str]:
    """Return for each source that settings keep from being pushed, which and why."""
    reasons = {source: kind.why_not() for source, kind in KINDS.items()}
    return {source: reason for source, reason in reasons.items() if reason}
