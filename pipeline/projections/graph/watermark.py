"""How far the graph has caught up with what has landed, per user and source."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import NamedTuple

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from models import DEFAULT_TENANT, Record, SyncState
from pipeline.errors import HeadraceError
from pipeline.projections.graph.changes import fields_of
from pipeline.stores import Row, collection

NAME = "graph"
_FIELD = f"projections.{NAME}"
_SEQ: Row = {"$ifNull": [f"${_FIELD}.seq", 0]}
_FENCE: Row = {"$ifNull": [f"${_FIELD}.fence", 0]}
_LAGS: Row = {"$gt": ["$seq", _SEQ]}
_LONGEST_PAUSE_SECONDS = 60
#: No user has more sources than this; the sweeper reads as many rows per user.
_MOST_SOURCES = 8
#: The driver's own limit is 16 MiB an answer, which take ten times that as objects.
_READ_ROWS = 250


class Lag(NamedTuple):
    """A source with landed records that the graph has not: after `seq`, up to `published`."""

    user_id: str
    source: str
    seq: int
    published: int


def lags(user_id: str) -> list[Lag]:
    """Return the sources of a user that the graph lags behind."""
    found = _majority(collection(SyncState)).find(
        {"user_id": user_id, "$expr": _LAGS}, {"source": 1, "seq": 1, f"{_FIELD}.seq": 1}
    )
    return [
        Lag(user_id, state["source"], state.get("projections", {}).get(NAME, {}).get("seq", 0),
            state["seq"])
        for state in found
    ]  # fmt: skip


def lag(user_id: str) -> dict[str, int]:
    """Return how many sequence numbers the graph is behind, per source."""
    rows = collection(SyncState).aggregate(
        [
            {"$match": {"user_id": user_id}},
            {"$project": {"source": 1, "lag": {"$subtract": ["$seq", _SEQ]}}},
        ]
    )
    return {row["source"]: row["lag"] for row in rows}


class Lagging(NamedTuple):
    """A user whose graph lags behind."""

    user_id: str
    tenant_id: str


def lagging(now: datetime, limit: int) -> list[Lagging]:
    """Return at most `limit` users whose graph lags behind and is due, longest due first."""
    rows = collection(SyncState).aggregate(
        [
            {"$match": {f"{_FIELD}.due_at": {"$lte": now}}},
            {"$sort": {f"{_FIELD}.due_at": ASCENDING}},
            {"$limit": limit * _MOST_SOURCES},
            {
                "$group": {
                    "_id": "$user_id",
                    "due_at": {"$min": f"${_FIELD}.due_at"},
                    "tenant_id": {"$first": "$tenant_id"},
                }
            },
            {"$sort": {"due_at": ASCENDING}},
            {"$limit": limit},
        ]
    )
    return [Lagging(row["_id"], row["tenant_id"] or DEFAULT_TENANT) for row in rows]


def records(lag: Lag) -> Generator[Row, None, None]:
    """Yield what landed after the watermark, in order, without the parts that are not drawn."""
    fields = fields_of(lag.source)
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


def move(lag: Lag, seq: int, fence: int) -> None:
    """Move the watermark forward to `seq`; it is no longer due if that is all there is.

    Does nothing for a writer whose `fence` is older than one that moved or reset it.
    """
    behind: Row = {"$gt": ["$seq", seq]}
    collection(SyncState).update_one(
        {
            "user_id": lag.user_id,
            "source": lag.source,
            "$expr": {"$and": [{"$lt": [_SEQ, seq]}, {"$lte": [_FENCE, fence]}]},
        },
        [
            {
                "$set": {
                    f"{_FIELD}.seq": seq,
                    f"{_FIELD}.fence": fence,
                    f"{_FIELD}.failures": 0,
                    f"{_FIELD}.error": "$$REMOVE",
                    # In the same update, so that what lands in between stays due.
                    f"{_FIELD}.due_at": {"$cond": [behind, f"${_FIELD}.due_at", "$$REMOVE"]},
                }
            }
        ],
    )


def settle(user_id: str) -> None:
    """Take back what is due of a user though the graph has it already."""
    collection(SyncState).update_many(
        {"user_id": user_id, f"{_FIELD}.due_at": {"$exists": True}, "$expr": {"$not": [_LAGS]}},
        [{"$set": {f"{_FIELD}.due_at": "$$REMOVE"}}],
    )


def failed(user_id: str, error: Exception, source: str | None = None) -> None:
    """Note a failure, and when to try again, on the source; on all that lag if there is none.

    Texts of errors that are not ours are left out: they may quote data.
    """
    failures: Row = {"$add": [{"$ifNull": [f"${_FIELD}.failures", 0]}, 1]}
    # 2, 4, 8 … seconds; the exponent is bounded so that the power does not overflow.
    pause: Row = {"$min": [{"$pow": [2, {"$min": [failures, 6]}]}, _LONGEST_PAUSE_SECONDS]}
    told = {
        "class": type(error).__name__,
        "message": str(error) if isinstance(error, HeadraceError) else "",
    }
    wanted: Row = {"user_id": user_id, "$expr": _LAGS} | ({"source": source} if source else {})
    collection(SyncState).update_many(
        wanted,
        [
            {
                "$set": {
                    f"{_FIELD}.failures": failures,
                    f"{_FIELD}.error": {"$literal": told},
                    f"{_FIELD}.due_at": {
                        "$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": pause}
                    },
                }
            }
        ],
    )


def reset(user_id: str, fence: int) -> None:
    """Set the watermarks of a user to 0, and all that has landed due now."""
    collection(SyncState).update_many(
        {"user_id": user_id},
        [
            {
                "$set": {
                    f"{_FIELD}.seq": 0,
                    f"{_FIELD}.fence": fence,
                    f"{_FIELD}.failures": 0,
                    f"{_FIELD}.error": "$$REMOVE",
                    f"{_FIELD}.due_at": {"$cond": [{"$gt": ["$seq", 0]}, "$$NOW", "$$REMOVE"]},
                }
            }
        ],
    )


def _majority(rows: Collection[Row]) -> Collection[Row]:
    """Read only what a failover cannot take back: the graph would keep it for ever."""
    return rows.with_options(read_concern=ReadConcern("majority"))
