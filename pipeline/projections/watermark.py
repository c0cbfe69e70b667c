"""How far a projection has caught up with what has landed, per user and source."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from models import DEFAULT_TENANT, Record, SyncState
from pipeline.errors import HeadraceError
from pipeline.stores import Row, collection

#: The fields of a record that a projection reads, as MongoDB paths; {}: none of this source.
FieldsOf = Callable[[str], dict[str, int]]

_LONGEST_PAUSE_SECONDS = 60
#: No user has more sources than this; the sweeper reads as many rows per user.
_MOST_SOURCES = 8
#: The driver's own limit is 16 MiB an answer, which take ten times that as objects.
_READ_ROWS = 250


class Lag(NamedTuple):
    """A source with landed records that a projection has not: after `seq`, up to `published`."""

    user_id: str
    source: str
    seq: int
    published: int


class Lagging(NamedTuple):
    """A user whose projection lags behind."""

    user_id: str
    tenant_id: str


@dataclass(frozen=True)
class Watermark:
    """The watermarks of the projection `name`, on the sync states."""

    name: str
    fields_of: FieldsOf

    @property
    def _field(self) -> str:
        return f"projections.{self.name}"

    @property
    def _seq(self) -> Row:
        return {"$ifNull": [f"${self._field}.seq", 0]}

    @property
    def _fence(self) -> Row:
        return {"$ifNull": [f"${self._field}.fence", 0]}

    @property
    def _lags(self) -> Row:
        return {"$gt": ["$seq", self._seq]}

    def lags(self, user_id: str) -> list[Lag]:
        """Return the sources of a user that the projection lags behind."""
        wanted = {"user_id": user_id, "$expr": self._lags}
        read = {"source": 1, "seq": 1, "reached": self._seq}
        found = _majority(collection(SyncState)).find(wanted, read)
        return [Lag(user_id, state["source"], state["reached"], state["seq"]) for state in found]

    def lag(self, user_id: str) -> dict[str, int]:
        """Return how many sequence numbers the projection is behind, per source."""
        rows = collection(SyncState).aggregate(
            [
                {"$match": {"user_id": user_id}},
                {"$project": {"source": 1, "lag": {"$subtract": ["$seq", self._seq]}}},
            ]
        )
        return {row["source"]: row["lag"] for row in rows}

    def lagging(self, now: datetime, limit: int) -> list[Lagging]:
        """Return at most `limit` users whose projection lags and is due, longest due first."""
        rows = collection(SyncState).aggregate(
            [
                {"$match": {f"{self._field}.due_at": {"$lte": now}}},
                {"$sort": {f"{self._field}.due_at": ASCENDING}},
                {"$limit": limit * _MOST_SOURCES},
                {
                    "$group": {
                        "_id": "$user_id",
                        "due_at": {"$min": f"${self._field}.due_at"},
                        "tenant_id": {"$first": "$tenant_id"},
                    }
                },
                {"$sort": {"due_at": ASCENDING}},
                {"$limit": limit},
            ]
        )
        return [Lagging(row["_id"], row["tenant_id"] or DEFAULT_TENANT) for row in rows]

    def records(self, lag: Lag) -> Generator[Row, None, None]:
        """Yield what landed after the watermark, in order, without the parts that nobody reads."""
        fields = self.fields_of(lag.source)
        if not fields:
            return
        wanted = {
            "user_id": lag.user_id,
            "source": lag.source,
            "seq": {"$gt": lag.seq, "$lte": lag.published},
        }
        found = _majority(collection(Record)).find(wanted, fields, batch_size=_READ_ROWS)
        with found.sort("seq", ASCENDING) as cursor:
            yield from cursor

    def move(self, lag: Lag, seq: int, fence: int) -> None:
        """Move the watermark forward to `seq`; it is no longer due if that is all there is.

        Does nothing for a writer whose `fence` is older than one that moved or reset it.
        """
        behind: Row = {"$gt": ["$seq", seq]}
        collection(SyncState).update_one(
            {
                "user_id": lag.user_id,
                "source": lag.source,
                "$expr": {"$and": [{"$lt": [self._seq, seq]}, {"$lte": [self._fence, fence]}]},
            },
            [
                {
                    "$set": {
                        f"{self._field}.seq": seq,
                        f"{self._field}.fence": fence,
                        f"{self._field}.failures": 0,
                        f"{self._field}.error": "$$REMOVE",
                        # In the same update, so that what lands in between stays due.
                        f"{self._field}.due_at": {
                            "$cond": [behind, f"${self._field}.due_at", "$$REMOVE"]
                        },
                    }
                }
            ],
        )

    def adopt(self) -> None:
        """Begin to follow what landed before there was this projection.

        What is there already, the projection must write by other means.
        """
        collection(SyncState).update_many(
            {self._field: {"$exists": False}}, [{"$set": {self._field: {"seq": "$seq"}}}]
        )

    def settle(self, user_id: str) -> None:
        """Take back what is due of a user though the projection has it already."""
        collection(SyncState).update_many(
            {
                "user_id": user_id,
                f"{self._field}.due_at": {"$exists": True},
                "$expr": {"$not": [self._lags]},
            },
            [{"$set": {f"{self._field}.due_at": "$$REMOVE"}}],
        )

    def failed(self, user_id: str, error: Exception, source: str | None = None) -> None:
        """Note a failure, and when to try again, on the source; on all that lag if there is none.

        Texts of errors that are not ours are left out: they may quote data.
        """
        failures: Row = {"$add": [{"$ifNull": [f"${self._field}.failures", 0]}, 1]}
        # 2, 4, 8 … seconds; the exponent is bounded so that the power does not overflow.
        pause: Row = {"$min": [{"$pow": [2, {"$min": [failures, 6]}]}, _LONGEST_PAUSE_SECONDS]}
        told = {
            "class": type(error).__name__,
            "message": str(error) if isinstance(error, HeadraceError) else "",
        }
        wanted: Row = {"user_id": user_id, "$expr": self._lags} | (
            {"source": source} if source else {}
        )
        collection(SyncState).update_many(
            wanted,
            [
                {
                    "$set": {
                        f"{self._field}.failures": failures,
                        f"{self._field}.error": {"$literal": told},
                        f"{self._field}.due_at": {
                            "$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": pause}
                        },
                    }
                }
            ],
        )

    def reset(self, user_id: str, fence: int) -> None:
        """Set the watermarks of a user to 0, and all that has landed due now."""
        collection(SyncState).update_many(
            {"user_id": user_id},
            [
                {
                    "$set": {
                        f"{self._field}.seq": 0,
                        f"{self._field}.fence": fence,
                        f"{self._field}.failures": 0,
                        f"{self._field}.error": "$$REMOVE",
                        f"{self._field}.due_at": {
                            "$cond": [{"$gt": ["$seq", 0]}, "$$NOW", "$$REMOVE"]
                        },
                    }
                }
            ],
        )


def _majority(rows: Collection[Row]) -> Collection[Row]:
    """Read only what a failover cannot take back: projections would keep it for ever."""
    return rows.with_options(read_concern=ReadConcern("majority"))
