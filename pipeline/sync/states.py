"""SyncState in MongoDB: claims, leases, and every write that a run may do to it."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo import ReturnDocument, timeout
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from models import DEFAULT_TENANT, SyncState, User
from pipeline.config import settings
from pipeline.errors import LeaseLost, Permanent
from pipeline.heartbeat import Heartbeat
from pipeline.sources import projections_of
from pipeline.stores import Row, collection, mongodb
from pipeline.sync import due, erasures
from pipeline.sync.cadence import Cadence, promise_seconds

_EPOCH = datetime.fromtimestamp(0, UTC)
#: Statuses in which a state waits for a person and is never due.
HELD = ("paused", "needs_reauth")
#: A write that waits longer than this for a state is stuck behind a dead transaction.
LOCK_WAIT_SECONDS = 5
#: A cursor counts only with the fingerprint of the request that it is from.
_NO_FINGERPRINT: Row = {"fingerprint": None}
_FREE: Row = {"$lte": [{"$ifNull": ["$lease_until", _EPOCH]}, "$$NOW"]}
_DUE: Row = {
    "$or": [
        {"$eq": ["$status", "queued"]},
        {"$and": [{"$gt": ["$next_due_at", None]}, {"$lte": ["$next_due_at", "$$NOW"]}]},
    ]
}


def stream_key(stream: str) -> str:
    """Return `stream` as a MongoDB field name, in which dots and dollars mean paths."""
    return stream.replace("%", "%25").replace(".", "%2E").replace("$", "%24")


def ensure(user_id: str, source: str, now: datetime, *, mailbox_id: str | None = None) -> None:
    """Create the state of (user, source), due now; wake one that waited for its user.

    `mailbox_id` is the mailbox of one whose source is mail that we act upon.  Its
    tenant becomes that of the user, also where it was missing or another.
    Raises Permanent, and leaves none, for a user who is being erased.
    """
    states = collection(SyncState)
    key = {"user_id": user_id, "source": source}
    fresh = {
        "status": "idle",
        "streams": {},
        "seq": 0,
        "projections": {name: {"seq": 0, "failures": 0} for name in projections_of(source)},
        "fence": 0,
        "consecutive_failures": 0,
        "records": 0,
        "rejected": 0,
        "stale_at": now,  # a copy that is not there yet is not fresh
    }
    erasures.admit(user_id)
    states.update_one(
        key,
        {
            "$set": {"tenant_id": _tenant_of(user_id)}
            | ({"mailbox_id": mailbox_id} if mailbox_id else {}),
            "$setOnInsert": {**fresh, "next_due_at": now},
        },
        upsert=True,
    )
    try:  # once more: an erasure that begins later than this finds the state, and deletes it
        erasures.admit(user_id)
    except Permanent:
        states.delete_one(key)
        raise
    revived: Row = {"$cond": [{"$eq": ["$status", "needs_reauth"]}, "idle", "$status"]}
    _make_due({**key, "status": {"$ne": "paused"}}, {"status": revived, "consecutive_failures": 0})


def _tenant_of(user_id: str) -> str:
    user: Row = collection(User).find_one({"_id": user_id}, {"tenant_id": 1}) or {}
    return str(user.get("tenant_id") or DEFAULT_TENANT)


def request(user_id: str, source: str, *, pushed: bool = False) -> bool:
    """Make (user, source) due now, also if a run is under way; False if it is held.

    From now on the copy is known to lag, so its freshness is promised for no
    longer than the target.  `pushed`: it was the provider that said so.
    """
    wanted = {"user_id": user_id, "source": source, "status": {"$nin": list(HELD)}}
    return _make_due(wanted, {"pushed_at": "$$NOW"} if pushed else {})


def _make_due(wanted: Row, changes: Row) -> bool:
    """Make the state that matches `wanted` due now, and set `changes`; False if there is none."""
    target = promise_seconds(wanted["source"], 0)
    asked: Row = {
        "requested_at": "$$NOW",
        # The lease of a run under way is its due time; it looks at requested_at when it ends.
        "next_due_at": {"$cond": [{"$eq": ["$status", "syncing"]}, "$next_due_at", "$$NOW"]},
        "stale_at": sooner("$stale_at", {"$add": ["$$NOW", int(target * 1000)]}),
    }
    result = collection(SyncState).update_one(wanted, [{"$set": asked | changes}])
    return bool(result.matched_count)


def sooner(field: str, moment: Row | datetime) -> Row:
    """Return the expression for the earlier of a field and `moment`; unset stays unset."""
    return {"$cond": [{"$gt": [field, None]}, {"$min": [field, moment]}, field]}


def push_changed(user_id: str, source: str, until: datetime | None) -> bool:
    """Note until when the provider pushes every change of (user, source); None: no longer.

    Once it does not, the state is due within the interval at which it is polled,
    and not only when the safety net would have looked.  False if there is no state.
    """
    key = {"user_id": user_id, "source": source}
    states, now = collection(SyncState), datetime.now(UTC)
    if until is not None and until > now:
        return bool(states.update_one(key, {"$set": {"live_push_until": until}}).matched_count)
    state = states.find_one(key, {"source": 1, "cadence": 1})
    if state is None:
        return False
    polled = Cadence.of(state).unpushed(source)
    due_at = due.next_due(user_id, source, now, polled.interval_seconds)
    promised = timedelta(seconds=promise_seconds(source, polled.interval_seconds))
    changes: Row = {
        "live_push_until": None,
        "next_due_at": sooner("$next_due_at", due_at),
        "stale_at": sooner("$stale_at", now + promised),
        # A run under way counts on the push, and so would what it writes at its end.
        "requested_at": {"$cond": [{"$eq": ["$status", "syncing"]}, "$$NOW", "$requested_at"]},
    }
    if state.get("cadence"):
        changes |= {
            "cadence.interval_seconds": polled.interval_seconds,
            "cadence.why": polled.why,
        }
    return bool(states.update_one(key, [{"$set": changes}]).matched_count)


def forget_cursors(user_id: str, source: str) -> bool:
    """Give up every cursor, so that the next sync lists all anew; False if there is no state.

    A listing that a run is at just now goes on: it is what was asked for.
    """
    listing: Row = {"$mergeObjects": ["$$this.v.listing", _NO_FINGERPRINT]}
    begun: Row = {"$eq": [{"$type": "$$this.v.listing"}, "object"]}
    stream: Row = {
        "$mergeObjects": [
            "$$this.v",
            _NO_FINGERPRINT,
            {"$cond": [begun, {"listing": listing}, {}]},
        ]
    }
    streams: Row = {
        "$map": {
            "input": {"$objectToArray": {"$ifNull": ["$streams", {}]}},
            "in": {"k": "$$this.k", "v": stream},
        }
    }
    done = collection(SyncState).update_one(
        {"user_id": user_id, "source": source}, [{"$set": {"streams": {"$arrayToObject": streams}}}]
    )
    return bool(done.matched_count)


def _lease_end() -> Row:
    """Return the lease's end by the database's clock, which all workers share."""
    return {"$add": ["$$NOW", int(settings().lease_seconds * 1000)]}


@dataclass(slots=True)
class Claim:
    """The right of one run to write (user, source), while its fence is the highest.

    All of the run's transactions use `session`, which the state names: whoever
    takes over from a killed run ends what that had open.
    """

    state: Row
    session: ClientSession
    lost: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> Row:
        """The filter that matches only while nobody else has claimed the state."""
        return {"_id": self.state["_id"], "fence": self.state["fence"]}

    def write(self, patch: Row, session: ClientSession | None = None) -> None:
        """Set the fields of `patch`.  Raises LeaseLost if another run has taken over."""
        result = collection(SyncState).update_one(self.key, {"$set": patch}, session=session)
        self._check(result.matched_count)

    def write_pipeline(self, stages: list[Row]) -> None:
        """Apply an update pipeline.  Raises LeaseLost if another run has taken over."""
        self._check(collection(SyncState).update_one(self.key, stages).matched_count)

    def _check(self, matched: int) -> None:
        if not matched:
            self.lost.set()
            raise LeaseLost("another run has claimed this source")

    def renew(self) -> None:
        """Push the end of the lease out."""
        end = _lease_end()
        self.write_pipeline([{"$set": {"lease_until": end, "next_due_at": end}}])


def claim(user_id: str, source: str, *, force: bool) -> Claim | None:
    """Claim (user, source) for one run, or return None if it is busy, held or not due.

    `force` also takes a state that is not due.  The database's clock decides,
    so that workers with wrong clocks cannot take a lease too early.
    """
    session = mongodb().client.start_session()
    wanted: Row = {
        "user_id": user_id,
        "source": source,
        "status": {"$nin": list(HELD)},
        "$expr": {"$and": [_FREE] if force else [_FREE, _DUE]},
    }
    try:
        state = _claimed(wanted, session)
    except PyMongoError as error:
        if not error.timeout:
            raise
        # A killed worker's open transaction holds the state until the server ends it.
        release_dead_locks({"user_id": user_id, "source": source})
        state = _claimed(wanted, session)
    if state is None:
        session.end_session()
        return None
    return Claim(state, session)


def _claimed(wanted: Row, session: ClientSession) -> Row | None:
    end = _lease_end()
    claimed = {
        "status": "syncing",
        "owner": f"{socket.gethostname()}:{os.getpid()}",
        "session": {"$literal": session.session_id},
        "fence": {"$add": ["$fence", 1]},
        "lease_until": end,
        "next_due_at": end,
        "last_attempt_at": "$$NOW",
    }
    with timeout(LOCK_WAIT_SECONDS):
        return collection(SyncState).find_one_and_update(
            wanted, [{"$set": claimed}], return_document=ReturnDocument.AFTER
        )


def release_dead_locks(whose: Row) -> None:
    """End the transactions that killed runs have left open on the states that match `whose`.

    MongoDB itself waits for transactionLifetimeLimitSeconds, a minute by
    default, and until then every write to such a state blocks.
    https://www.mongodb.com/docs/manual/reference/command/killSessions/
    """
    dead: Row = {"status": "syncing", "session": {"$ne": None}, "$expr": _FREE}
    rows = collection(SyncState).find(whose | dead, {"session": 1})
    sessions = [row["session"] for row in rows]
    if sessions:
        database = mongodb()
        database.client.admin.command(
            "killSessions", sessions, codec_options=database.codec_options
        )


def heartbeat(claim: Claim) -> Heartbeat:
    """Return what renews a claim's lease until the run ends.

    A process that was stopped renews nothing; the fence then keeps it from
    writing when it wakes up.
    """

    def beat() -> bool:
        try:
            claim.renew()
        except LeaseLost:
            return False
        except PyMongoError:
            pass  # the next beat may get through; without one, the lease runs out
        return True

    return Heartbeat("lease-heartbeat", settings().lease_seconds / 3, beat)
