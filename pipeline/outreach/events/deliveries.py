"""Requests of providers as they came in: kept before they are answered, worked through by jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pymongo
from pymongo.errors import BulkWriteError

from models.outreach import OutreachDelivery
from pipeline.config import settings
from pipeline.dispatch import send_many
from pipeline.jobs.sending import Send
from pipeline.outreach.events.reading import Reading
from pipeline.stores import Row, collection
from pipeline.words import counted

#: A provider waits for some seconds, and sends again what was not answered.
STORE_SECONDS = 3.0
#: What has waited for so long has lost its job.
LOST_AFTER = timedelta(seconds=60)
#: Whoever has failed so often waits for a person.
MOST_ATTEMPTS = 12
_BATCH = 1000
_DUPLICATE_KEY = 11000


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request whose signature holds; `signed` is what was signed, `raw` its body."""

    provider: str
    kind: Literal["events", "status", "inbound"]
    signed: bytes
    raw: bytes
    sender_id: str = ""
    message_id: str = ""

    @property
    def id(self) -> str:
        """The same for the same request that is sent again."""
        return hashlib.sha256(self.signed).hexdigest()


def keep(requests: Sequence[Incoming]) -> list[bool]:
    """Keep requests; return of each whether it is new.

    What is kept is safe: a job that gets lost is missed by `sweep`.  Raises PyMongoError if it
    is not known whether they are kept; to send them again does no harm.
    """
    now = datetime.now(UTC)
    rows = [_row(request, now) for request in requests]
    known: set[int] = set()
    with pymongo.timeout(STORE_SECONDS):
        try:
            collection(OutreachDelivery).insert_many(rows, ordered=False)
        except BulkWriteError as error:
            known = _known_before(error)
    return [position not in known for position in range(len(rows))]


def begin(delivery_id: str) -> Row | None:
    """Count an attempt to work through a delivery, and return it; None if it has expired."""
    return collection(OutreachDelivery).find_one_and_update(
        {"_id": delivery_id}, {"$inc": {"attempts": 1}}
    )


def close(delivery_id: str, reading: Reading, counts: Row, tenant_ids: Sequence[str]) -> None:
    """Note that a delivery was worked through, and what was in it."""
    done: Row = {
        "status": "partial" if reading.malformed else "processed",
        "processed_at": datetime.now(UTC),
        "counts": counts,
        "tenant_ids": sorted(tenant_ids),
        "problems": reading.told_problems(),
    }
    collection(OutreachDelivery).update_one(
        {"_id": delivery_id}, {"$set": done, "$unset": {"open": ""}}
    )


def sweep() -> str:
    """Send the jobs of deliveries that wait for too long, and say in words how many.

    Those that have failed again and again are set aside, until `reopen`; their dead letters say
    why.
    """
    until = datetime.now(UTC) - LOST_AFTER
    late: Row = {"open": True, "received_at": {"$lte": until}}
    failed = collection(OutreachDelivery).update_many(
        late | {"attempts": {"$gte": MOST_ATTEMPTS}},
        {"$set": {"status": "failed"}, "$unset": {"open": ""}},
    )
    rows = collection(OutreachDelivery).find(late, {"_id": 1}).sort("received_at", 1).limit(_BATCH)
    sent = send_many(Send("process_delivery", (row["_id"],)) for row in rows)
    told = f"{counted(len(sent), 'request')} late"
    return f"{told}, {failed.modified_count} failed" if failed.modified_count else told


def reopen(delivery_id: str = "") -> int:
    """Have a delivery that was set aside be worked through again, or all; return how many.

    The next `sweep` sends their jobs.
    """
    aside: Row = {"status": "failed"} | ({"_id": delivery_id} if delivery_id else {})
    fresh = {"status": "received", "open": True, "attempts": 0}
    return collection(OutreachDelivery).update_many(aside, {"$set": fresh}).modified_count


def _row(request: Incoming, now: datetime) -> Row:
    row: Row = {
        "_id": request.id,
        "provider": request.provider,
        "kind": request.kind,
        "raw": request.raw,
        "received_at": now,
        "open": True,
        "attempts": 0,
        "status": "received",
        "expires_at": now + timedelta(days=settings().webhook_retention_days),
    }
    about = {"sender_id": request.sender_id, "message_id": request.message_id}
    return row | {name: said for name, said in about.items() if said}


def _known_before(error: BulkWriteError) -> set[int]:
    """Return which of the inserted were there already; raises `error` if that is not all of it."""
    details: Any = error.details
    failed = details["writeErrors"]
    if details["writeConcernErrors"] or any(one["code"] != _DUPLICATE_KEY for one in failed):
        raise error
    return {one["index"] for one in failed}
