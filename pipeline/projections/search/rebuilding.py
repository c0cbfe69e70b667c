"""A new index for everybody, filled while the old one is looked into, and put in its place.

While it is filled, what lands is written to both (advance.py).  The records are gone through by
their ids, so that it goes on where it stopped; versions make it not matter who writes first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from models import Record, SearchRebuild
from pipeline.config import settings
from pipeline.errors import Gone, Unfinished
from pipeline.projections.lease import Lease, held, renew
from pipeline.projections.search import stores
from pipeline.projections.search.advance import BATCH, owners
from pipeline.projections.search.documents import Change, change_of
from pipeline.projections.search.stores import current_index, store, under_way
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

_LEASE = "search-rebuild"
#: One run of the job: then others of its queue have their turn.
_BATCHES_PER_RUN = 40
_READ = {"item.payload.body": 0, "item.payload.parts": 0}


def begin(*, by: str) -> str:
    """Make a new index and have it filled from now on; return the id of the rebuild.

    The first index is filled by itself.  Raises Refused if one is being filled already.
    """
    is_first = store().current() is None
    former = current_index()
    if is_first and (begun := under_way()) is not None:
        return str(begun["_id"])
    if under_way() is None:
        try:
            return str(stores.begin(store(), former=former, by=by)["_id"])
        except DuplicateKeyError:
            pass
    raise Refused("", "a search index is being filled already; see `headrace search status`")


def latest() -> Row | None:
    """Return the newest rebuild of the present store, done or not."""
    wanted = {"store": store().name}
    return collection(SearchRebuild).find_one(wanted, sort=[("started_at", DESCENDING)])


def carry_on(rebuild_id: str) -> Row:
    """Do the next part of a rebuild, and return its row once it is done.

    Raises Unfinished while something is left, also while another process is at it; Gone if
    there is no such rebuild.
    """
    with held(_LEASE, rebuild_id) as lease:
        if lease is None:
            raise Unfinished(settings().lease_seconds)
        row = _row(rebuild_id)
        here = store()
        if row["store"] != here.name or row["index"] not in here.indexes():
            stores.end(row)  # another store is used, or somebody has deleted it there
        if row["status"] == "filling":
            _fill(row, lease)
        if row["status"] == "switched":
            _tidy(row)
        return row


def _fill(row: Row, lease: Lease) -> None:
    """Write the next records, and look into the new index once there are none left.

    Raises Unfinished.
    """
    for _ in range(_BATCHES_PER_RUN):
        batch = _records(row.get("after"))
        if not batch:
            renew(lease)  # who stood still must not bring an index back that was replaced since
            store().switch(row["index"])
            _set(row, status="switched", switched_at=datetime.now(UTC))
            break
        store().write(_changes(batch), row["index"])
        renew(lease)
        _set(row, after=batch[-1]["_id"], records=row["records"] + len(batch))
    raise Unfinished(0 if row["status"] == "filling" else _grace().total_seconds())


def _tidy(row: Row) -> None:
    """Drop the former index, once nobody writes to it who asked before it was replaced."""
    left = row["switched_at"] + _grace() - datetime.now(UTC)
    if left > timedelta(0):
        raise Unfinished(left.total_seconds())
    here = store()
    for name in here.indexes():
        if name < row["index"]:  # the former one, and what killed processes have left
            here.drop(name)
    stores.end(row)


def _grace() -> timedelta:
    return timedelta(seconds=2 * settings().lease_seconds)


def _row(rebuild_id: str) -> Row:
    row = collection(SearchRebuild).find_one({"_id": rebuild_id})
    if row is None:
        raise Gone("there is no such rebuild of the search index")
    return row


def _set(row: Row, **fields: Any) -> None:
    row.update(fields)
    collection(SearchRebuild).update_one({"_id": row["_id"]}, {"$set": fields})


def _records(after: bytes | None) -> list[Row]:
    """Return the next records that are there, by their ids; only what a failover leaves."""
    wanted = {} if after is None else {"_id": {"$gt": after}}
    rows = collection(Record).with_options(read_concern=ReadConcern("majority"))
    return list(rows.find(wanted, _READ).sort("_id", ASCENDING).limit(BATCH))


def _changes(batch: list[Row]) -> list[Change]:
    """Return the documents of records; what was deleted has none to begin with."""
    known = owners({row["user_id"] for row in batch})
    return [
        change
        for row in batch
        if row["user_id"] in known and not row.get("deleted_at")
        if (change := change_of(row, known[row["user_id"]]))
    ]
