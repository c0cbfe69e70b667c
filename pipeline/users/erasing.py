"""Erasing a user: from MongoDB, the graph and Redis, and at the providers.

First a fence (`pipeline.sync.erasures`): from then on nothing new is kept of the
user.  The sync states go first, for without one no run can land and no graph
advance.  A provider that does not answer keeps no data here: the connection
alone stays until the grant is revoked.  In the end all is counted again.

Some minutes later it is done once more, for what a process that stood still in
the middle may have written; then the user's id is forgotten, too.  What Redis
counts of a user's quota expires within minutes by itself.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from pymongo.errors import PyMongoError

from models import Connection, Erasure, SyncState, User
from pipeline import disconnecting, push
from pipeline.config import settings
from pipeline.errors import Gone, HeadraceError, LeaseLost, Transient, Unfinished
from pipeline.heartbeat import Heartbeat
from pipeline.mailbox import clearing
from pipeline.projections.lease import Lease, held, renew
from pipeline.stores import Row, collection
from pipeline.sync.erasures import erasure_id
from pipeline.users import belongings
from pipeline.users.errors import Unknown
from pipeline.users.leaving import queue

log = logging.getLogger(__name__)

#: How long a process may have stood still and then write what it had begun.
CHECK_AFTER = timedelta(minutes=10)
#: An erasure whose process died is taken up after this.
_TAKEN_UP_AFTER = timedelta(minutes=1)
#: What is written while it is deleted is deleted in the next round; more are a bug.
_MOST_ROUNDS = 5
#: How long to wait for another process that is at it, and how often.
_WAIT_SECONDS = 1.0
_MOST_WAITS = 120


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: `counts` by kind, and what became of the `grants`, by provider.

    `complete`: nothing is left, as far as could be counted.
    """

    id: str
    by: str
    asked_at: datetime
    erased_at: datetime | None
    counts: dict[str, int]
    grants: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether nothing was left when it was counted last."""
        return self.erased_at is not None


def erase(user_id: str, by: str) -> Erased:
    """Erase a user here and now, and return what was deleted.

    May be repeated: then it returns what was erased before.  Raises Unknown for a
    user of whom nothing was ever known, Transient if a store or a provider does
    not answer: the rest then follows by itself.
    """
    name = _begin(user_id, by)
    for _ in range(_MOST_WAITS):
        try:
            return carry_out(name)
        except Unfinished as error:
            time.sleep(error.delay_seconds)
    raise Transient("another process is at it for a long time; the rest follows by itself")


def begin_erase(user_id: str, by: str) -> str:
    """Fence a user off and have everything erased by a job; return the job's message id.

    Raises Unknown for a user of whom nothing is known.
    """
    begun = _begin(user_id, by)
    return queue("erase", begun)


def _begin(user_id: str, by: str) -> str:
    """Put up the fence; return the id of the erasure."""
    now, name = datetime.now(UTC), erasure_id(user_id)
    erasures = collection(Erasure)
    if not _is_known(user_id):
        if erasures.find_one({"_id": name}, {"_id": 1}) is None:
            raise Unknown(f"there is no user {user_id!r}")
        return name
    user: Row = collection(User).find_one({"_id": user_id}) or {}
    fresh: Row = {
        "user_id": user_id,
        "by": by,
        "asked_at": now,
        "rounds": 0,
        "erased_at": None,
        "counts": {},
        "grants": {},
    }
    erasing = {"status": "erasing", "check_at": now + _TAKEN_UP_AFTER}
    # One that is under way goes on; one that is over was of a user who has come back.
    under_way: Row = {"$eq": ["$status", "erasing"]}
    kept = {name: {"$cond": [under_way, f"${name}", {"$literal": v}]} for name, v in fresh.items()}
    erasures.update_one({"_id": name}, [{"$set": kept | erasing}], upsert=True)
    log.info("erasing a user", extra={"tenant_id": user.get("tenant_id"), "by": by})
    return name


def _is_known(user_id: str) -> bool:
    whose = {"user_id": user_id}
    return (
        collection(User).find_one({"_id": user_id}, {"_id": 1}) is not None
        or collection(Connection).find_one(whose, {"_id": 1}) is not None
        or collection(SyncState).find_one(whose, {"_id": 1}) is not None
    )


def carry_out(name: str) -> Erased:
    """Do what is left of an erasure; safe to repeat, and from several processes at once.

    Raises Unknown if there is no such erasure, Unfinished while another process is
    at it, Transient if a store or a provider does not answer.
    """
    erasures = collection(Erasure)
    # The last look for what came late is fenced, too.
    late = {"_id": name, "status": "erased", "check_at": {"$lte": datetime.now(UTC)}}
    erasures.update_one(late, {"$set": {"status": "erasing"}})
    row = erasures.find_one({"_id": name})
    if row is None:
        raise Unknown("there is no such erasure")
    if row["status"] != "erasing":
        return _told(row)
    with held("erase", name) as lease:
        if lease is None:
            raise Unfinished(_WAIT_SECONDS)
        with Heartbeat("erase-lease", settings().lease_seconds / 3, partial(_keep, lease)):
            _until_nothing_is_left(name, row["user_id"])
    _finish(row)
    return _told(erasures.find_one({"_id": name}) or row)


def _keep(lease: Lease) -> bool:
    """Push the end of a lease out; False if another has it."""
    try:
        renew(lease)
    except LeaseLost:
        return False
    except PyMongoError:
        pass  # the next beat may get through
    return True


def _until_nothing_is_left(name: str, user_id: str) -> None:
    for _ in range(_MOST_ROUNDS):
        try:
            _delete_all(name, user_id)
        except LeaseLost:  # somebody rebuilds the graph of all people
            continue
        if not belongings.left(user_id):
            return
    raise Transient("there is still data of a user who is being erased; it is tried again")


def _delete_all(name: str, user_id: str) -> None:
    """Delete what there is of a user, noting after each step how much it was."""
    _clear_mailbox(user_id)
    for kind, count in belongings.delete_copy(user_id):
        _note(name, kind, count)
    for provider in collection(Connection).distinct("provider", {"user_id": user_id}):
        _leave(name, user_id, provider)
    for kind, count in belongings.delete_rest(user_id):
        _note(name, kind, count)


def _clear_mailbox(user_id: str) -> None:
    """Leave nothing of ours in a mailbox; a provider that does not answer keeps no data here."""
    try:
        clearing.clear(user_id)
    except HeadraceError as error:
        log.warning("mailbox not cleared", extra={"reason": type(error).__name__})


def _leave(name: str, user_id: str, provider: str) -> None:
    try:
        done = disconnecting.disconnect(user_id, provider, before_revoking=push.stop_all)
    except Gone:  # somebody else was faster
        return
    collection(Erasure).update_one(
        # The first answer counts: later there is nothing left to revoke.
        {"_id": name, f"grants.{provider}": {"$exists": False}},
        {"$set": {f"grants.{provider}": done.revocation}},
    )


def _note(name: str, kind: str, count: int) -> None:
    if count:
        collection(Erasure).update_one({"_id": name}, {"$inc": {f"counts.{kind}": count}})


def _finish(row: Row) -> None:
    """Note that nothing is left; after the second time nobody needs to know who it was."""
    now = datetime.now(UTC)
    last: Row = {"$gte": ["$rounds", 1]}
    collection(Erasure).update_one(
        {"_id": row["_id"], "status": "erasing", "rounds": row["rounds"]},
        [
            {
                "$set": {
                    "status": {"$cond": [last, "closed", "erased"]},
                    "user_id": {"$cond": [last, "$$REMOVE", "$user_id"]},
                    "check_at": {"$cond": [last, "$$REMOVE", now + CHECK_AFTER]},
                    "erased_at": {"$ifNull": ["$erased_at", now]},
                    "rounds": {"$add": ["$rounds", 1]},
                }
            }
        ],
    )


def _told(row: Row) -> Erased:
    return Erased(
        id=row["_id"],
        by=row["by"],
        asked_at=row["asked_at"],
        erased_at=row.get("erased_at"),
        counts={kind: int(count) for kind, count in row["counts"].items()},
        grants=dict(row["grants"]),
    )
