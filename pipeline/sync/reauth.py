"""Sources that wait for their user, and copies that start over."""

from __future__ import annotations

from collections.abc import Collection

from models import SyncState
from pipeline.stores import Row, collection
from pipeline.sync.states import release_dead_locks

#: The reason of sources whose connection was ended on purpose.
DISCONNECTED = "disconnected"


def wait_for_user(user_id: str, sources: Collection[str], reason: str) -> None:
    """Let these sources of a user wait until the user connects again; safe to repeat.

    It holds from now on: a run under way can write nothing more.  What has landed
    stays, and so do the cursors.  A paused state stays paused.
    """
    error = {"class": "ReauthRequired", "message": reason}
    _hold(user_id, sources, {"last_error": {"$literal": error}})


def start_over(user_id: str, sources: Collection[str]) -> None:
    """Let these sources wait, and be listed in full once they go on.

    For another account: what the cursors say means nothing there.  Records of the
    former one stay until a listing is complete, which sweeps them.
    """
    stale: Row = {
        "fingerprint": None,
        # A listing under way is begun anew, but its generation is not given out again.
        "listing": {
            "$cond": [
                {"$gt": ["$$this.v.listing", None]},
                {"$mergeObjects": ["$$this.v.listing", {"fingerprint": None}]},
                None,
            ]
        },
    }
    entries: Row = {"$objectToArray": {"$ifNull": ["$streams", {}]}}
    forgotten: Row = {"k": "$$this.k", "v": {"$mergeObjects": ["$$this.v", stale]}}
    streams: Row = {"$arrayToObject": {"$map": {"input": entries, "in": forgotten}}}
    _hold(user_id, sources, {"streams": streams})


def _hold(user_id: str, sources: Collection[str], changes: Row) -> None:
    waits: Row = {"$cond": [{"$eq": ["$status", "paused"]}, "paused", "needs_reauth"]}
    hold({"user_id": user_id, "source": {"$in": list(sources)}}, {"status": waits} | changes)


def hold(whose: Row, changes: Row) -> None:
    """Let nothing that matches `whose` be due, and set `changes`: the status, and why."""
    release_dead_locks(whose)
    held: Row = {
        "next_due_at": None,
        # A run under way loses its claim.
        "fence": {"$add": ["$fence", 1]},
        "owner": None,
        "session": None,
        "lease_until": None,
    }
    collection(SyncState).update_many(whose, [{"$set": held | changes}])
