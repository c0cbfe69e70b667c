"""How far the observer has caught up with what has landed of a user's mail."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from pymongo import ASCENDING
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from models import DEFAULT_TENANT, Record, SyncState
from pipeline.errors import HeadraceError, LeaseLost
from pipeline.mailbox.folders import SOURCE
from pipeline.stores import Row, collection

NAME = "mailbox"
_FIELD = f"projections.{NAME}"
_SEQ: Row = {"$ifNull": [f"${_FIELD}.seq", 0]}
_FENCE: Row = {"$ifNull": [f"${_FIELD}.fence", 0]}
_LAGS: Row = {"$gt": ["$seq", _SEQ]}
_LONGEST_PAUSE_SECONDS = 60
_MAJORITY = ReadConcern("majority")


class Lag(NamedTuple):
    """What has landed of a user's mail and was not observed: after `seq`, up to `published`."""

    user_id: str
    seq: int
    published: int


class Lagging(NamedTuple):
    """A mailbox whose observer lags behind."""

    user_id: str
    mailbox_id: str
    tenant_id: str


def lag(user_id: str, mailbox_id: str) -> Lag | None:
    """Return what is to be observed, or None if that is nothing, or of another mailbox."""
    state = (
        collection(SyncState)
        .with_options(read_concern=_MAJORITY)
        .find_one({**_of(user_id, mailbox_id), "$expr": _LAGS}, {"seq": 1, f"{_FIELD}.seq": 1})
    )
    if state is None:
        return None
    reached = state.get("projections", {}).get(NAME, {}).get("seq", 0)
    return Lag(user_id, int(reached), int(state["seq"]))


def lagging(now: datetime, limit: int) -> list[Lagging]:
    """Return at most `limit` mailboxes that lag behind and are due, longest due first."""
    fields = {"user_id": 1, "mailbox_id": 1, "tenant_id": 1}
    due: Row = {f"{_FIELD}.due_at": {"$lte": now}, "source": SOURCE}
    found = collection(SyncState).find(due, fields).sort(f"{_FIELD}.due_at", ASCENDING)
    return [
        Lagging(row["user_id"], row["mailbox_id"], row.get("tenant_id") or DEFAULT_TENANT)
        for row in found.limit(limit)
        if row.get("mailbox_id")
    ]


def records(lag: Lag, limit: int) -> list[Row]:
    """Return the next records after the watermark, in the order in which they landed."""
    wanted = {
        "user_id": lag.user_id,
        "source": SOURCE,
        "seq": {"$gt": lag.seq, "$lte": lag.published},
    }
    # What a failover can take back must give no event, nor move the watermark past its number.
    rows = collection(Record).with_options(read_concern=_MAJORITY).find(wanted)
    return list(rows.sort("seq", ASCENDING).limit(limit))


def move(lag: Lag, seq: int, fence: int, session: ClientSession) -> Lag | None:
    """Move the watermark on to `seq`, from where it was read, and return what is left then.

    It is no more due if that is nothing.  Raises LeaseLost if anybody else has moved it, or if
    the state is gone.
    """
    unmoved: Row = {"$and": [{"$eq": [_SEQ, lag.seq]}, {"$lte": [_FENCE, fence]}]}
    moved: Row = {
        f"{_FIELD}.seq": seq,
        f"{_FIELD}.fence": fence,
        f"{_FIELD}.failures": 0,
        f"{_FIELD}.error": "$$REMOVE",
        # In the same update, so that what lands in between stays due.
        f"{_FIELD}.due_at": {"$cond": [{"$gt": ["$seq", seq]}, f"${_FIELD}.due_at", "$$REMOVE"]},
    }
    state = collection(SyncState).find_one_and_update(
        {**_key(lag.user_id), "$expr": unmoved}, [{"$set": moved}], {"seq": 1}, session=session
    )
    if state is None:
        raise LeaseLost("another observer has taken over this mailbox")
    return Lag(lag.user_id, seq, int(state["seq"])) if state["seq"] > seq else None


def settle(user_id: str) -> None:
    """Take back what is due although there is nothing to observe."""
    collection(SyncState).update_one(
        {**_key(user_id), f"{_FIELD}.due_at": {"$exists": True}, "$expr": {"$not": [_LAGS]}},
        {"$unset": {f"{_FIELD}.due_at": ""}},
    )


def rest(user_id: str, mailbox_id: str) -> None:
    """Take back what is due although there is something, since nobody may look at it now."""
    unset = {"$unset": {f"{_FIELD}.due_at": ""}}
    collection(SyncState).update_one(_of(user_id, mailbox_id), unset)


def wake(user_id: str) -> None:
    """Make due what landed and was left, because the mailbox was closed meanwhile."""
    collection(SyncState).update_one(
        {**_key(user_id), "$expr": _LAGS}, [{"$set": {f"{_FIELD}.due_at": "$$NOW"}}]
    )


def failed(user_id: str, error: Exception) -> None:
    """Note a failure and when to try again.  Texts of errors that are not ours are left out."""
    failures: Row = {"$add": [{"$ifNull": [f"${_FIELD}.failures", 0]}, 1]}
    # 2, 4, 8 … seconds; the exponent is bounded so that the power does not overflow.
    pause: Row = {"$min": [{"$pow": [2, {"$min": [failures, 6]}]}, _LONGEST_PAUSE_SECONDS]}
    told = {
        "class": type(error).__name__,
        "message": str(error) if isinstance(error, HeadraceError) else "",
    }
    again: Row = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": pause}}
    noted: Row = {
        f"{_FIELD}.failures": failures,
        f"{_FIELD}.error": {"$literal": told},
        f"{_FIELD}.due_at": again,
    }
    collection(SyncState).update_one({**_key(user_id), "$expr": _LAGS}, [{"$set": noted}])


def _of(user_id: str, mailbox_id: str) -> Row:
    """Return the filter for the state, unless it is another mailbox's."""
    return {**_key(user_id), "mailbox_id": {"$in": [mailbox_id, None]}}


def _key(user_id: str) -> Row:
    return {"user_id": user_id, "source": SOURCE}
