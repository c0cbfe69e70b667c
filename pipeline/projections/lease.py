"""One writer per user and projection: a lease in MongoDB with a growing fence."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError, PyMongoError

from models import ProjectionLease
from pipeline.config import settings
from pipeline.errors import LeaseLost
from pipeline.stores import Row, collection, mongodb

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Lease(NamedTuple):
    """The right to write one user's part of a projection, while nobody has a higher fence."""

    id: str
    fence: int


@contextmanager
def held(
    projection: str, user_id: str, *, by_force: bool = False, session: ClientSession | None = None
) -> Iterator[Lease | None]:
    """Hold the lease of a user for the block; give None if another writer has it.

    `by_force` takes it from whoever has it, who can then change nothing more.  With the
    `session` of the writer's transactions, those that a killed writer left open are ended.
    """
    lease = _take(f"{projection}:{user_id}", by_force=by_force, session=session)
    try:
        yield lease
    finally:
        if lease is not None:
            _release(lease)


def renew(lease: Lease) -> None:
    """Push the end of the lease out.  Raises LeaseLost if another writer took over."""
    renewed = collection(ProjectionLease).update_one(
        _mine(lease), [{"$set": {"lease_until": _until()}}]
    )
    if renewed.matched_count == 0:
        raise LeaseLost("Another writer took over this user's projection")


def _mine(lease: Lease) -> Row:
    return {"_id": lease.id, "fence": lease.fence}


def _until() -> Row:
    milliseconds = int(settings().lease_seconds * 1000)
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}}


def _take(lease_id: str, *, by_force: bool, session: ClientSession | None) -> Lease | None:
    if by_force:
        return _claim({"_id": lease_id}, session, upsert=True)
    # MongoDB allows no upsert with $expr.
    free = {"_id": lease_id, "$expr": {"$lte": [{"$ifNull": ["$lease_until", None]}, "$$NOW"]}}
    lease = _claim(free, session)
    if lease is not None:
        return lease
    try:
        collection(ProjectionLease).insert_one({"_id": lease_id, "fence": 0})
    except DuplicateKeyError:  # it is there, but not free
        return None
    return _claim(free, session)


def _claim(wanted: Row, session: ClientSession | None, *, upsert: bool = False) -> Lease | None:
    after: Row = {"$add": [{"$ifNull": ["$fence", 0]}, 1]}
    claimed = {
        "owner": {"$literal": _owner()},
        "lease_until": _until(),
        # Never below the clock: the graph may remember the fences of a MongoDB that was lost.
        "fence": {"$max": [after, {"$toLong": "$$NOW"}]},
        "former_session": "$session",
        "session": "$$REMOVE" if session is None else {"$literal": session.session_id},
    }
    row = collection(ProjectionLease).find_one_and_update(
        wanted, [{"$set": claimed}], upsert=upsert, return_document=ReturnDocument.AFTER
    )
    if row is None:
        return None
    if row.get("former_session"):
        _end(row["former_session"])
    return Lease(str(row["_id"]), int(row["fence"]))


def _end(session_id: Row) -> None:
    """End what a killed writer left open: MongoDB itself keeps its locks for a minute.

    https://www.mongodb.com/docs/manual/reference/command/killSessions/
    """
    database = mongodb()
    database.client.admin.command(
        "killSessions", [session_id], codec_options=database.codec_options
    )


def _owner() -> str:
    """Return who this is, for an operator who asks what blocks a user."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}:{uuid4().hex[:8]}"


def _release(lease: Lease) -> None:
    try:
        collection(ProjectionLease).update_one(
            # The driver gives a session to others then: whoever comes next must not end it.
            _mine(lease),
            {"$unset": {"owner": "", "lease_until": "", "session": ""}},
        )
    except PyMongoError as error:
        # It ends by itself; what the block raised says more.
        logger.warning("Lease not released", extra={"error": type(error).__name__})
