"""Bringing what can be found of a user up to what has landed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from models import DEFAULT_TENANT, User
from pipeline.errors import LeaseLost
from pipeline.projections.following import Follower, Written
from pipeline.projections.lease import Lease, held
from pipeline.projections.search.documents import Change, Owner, change_of
from pipeline.projections.search.stores import (
    NAME,
    current_index,
    store,
    stores,
    under_way,
    watermark,
)
from pipeline.projections.watermark import Lag
from pipeline.stores import Row, collection

#: Records that are written at once.
BATCH = 500


def _write(lag: Lag, lease: Lease, records: Iterable[Row]) -> Iterator[Written]:  # noqa: ARG001
    """Write documents: versions, not the lease's fence, keep an older one from replacing a
    newer one."""
    owner = owners({lag.user_id}).get(lag.user_id)
    if owner is None:
        raise LeaseLost("There is no such user any more")
    rest = iter(records)
    while batch := list(islice(rest, BATCH)):
        write([change for row in batch if (change := change_of(row, owner))])
        yield Written(len(batch), int(batch[-1]["seq"]))


def write(changes: Sequence[Change]) -> None:
    """Write to the index that is looked into, and to the one that is being filled.

    Which one that is is asked after the changes were read: what had landed before it was begun
    to be filled is found when the records are gone through.
    """
    here = store()
    # In this order: one that is filled no longer is the one that is looked into.
    filling = under_way()
    indexes = {filling["index"]} if filling and filling["status"] == "filling" else set()
    for index in sorted(indexes | {current_index()}):
        here.write(changes, index)


def owners(user_ids: Collection[str]) -> dict[str, Owner]:
    """Return whose the records of users are, by user; of one who was forgotten nothing."""
    fields = {"tenant_id": 1, "created_at": 1}
    rows = collection(User).find({"_id": {"$in": list(user_ids)}}, fields)
    return {
        row["_id"]: Owner(row.get("tenant_id") or DEFAULT_TENANT, row["created_at"]) for row in rows
    }


follower = Follower(watermark, _write)


def rebuild_user(user_id: str) -> None:
    """Have all of a user be written again by the next advance: what is gone, as gone.

    Takes over from a writer that is at work.
    """
    with held(NAME, user_id, by_force=True) as lease:
        assert lease is not None
        watermark.reset(user_id, lease.fence)


def wipe(user_id: str) -> int:
    """Delete what can be found of a user who is forgotten; return how many documents that were.

    It can be written again only of a user who has come back.  What a writer that stood still
    writes after it is found by the next wipe.
    """
    with held(NAME, user_id, by_force=True):
        return max(
            # A store that was used before has it, too.
            (here.wipe(user_id, index) for here in stores() for index in here.indexes()),
            default=0,
        )
