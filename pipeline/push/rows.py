"""Every write to a subscription: each is safe to repeat, and to lose against another."""

from __future__ import annotations

import hashlib
import random
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from models import DEFAULT_TENANT, Subscription, SyncState
from pipeline.config import settings
from pipeline.errors import HeadraceError, NotPushed, Permanent
from pipeline.push.plan import OVER, is_live, outlook
from pipeline.push.registration import Kind, Registration
from pipeline.stores import Row, collection
from pipeline.sync import states

#: A call that has not come back by then never will; longer than its two tries may take.
ASK_SECONDS = 180.0
#: Waits after the first failure, which double with every further one, up to a day.
_TRANSIENT_SECONDS = 60.0
_REFUSED_SECONDS = 3600.0
_LONGEST_SECONDS = 86_400.0
#: What the provider cannot push today it may be able to push next week.
_UNSUPPORTED_SECONDS = 7 * 86_400.0
#: How much sooner than needed a renewal may come, as a share of the time until then.
_SPREAD = 0.1
#: A channel of which we know no end may live for so long.
LONGEST_LIFE = timedelta(days=8)
#: What a new registration takes over from the one before.
_INHERITED = (
    "last_event_at",
    "events",
    "mean_gap_seconds",
    "silence_seconds",
    "silent_after",
    "gaps",
)
_WATCHES = ("retry_at", "silent_after", "silence_seconds", "doubted_at", "doubted_since")


def current(user_id: str, source: str, stream: str | None = None) -> list[Row]:
    """Return the rows of (user, source) that are of consequence."""
    wanted: Row = {"user_id": user_id, "source": source}
    if stream is not None:
        wanted["stream"] = stream
    alive: Row = {"$or": [{"status": {"$nin": list(OVER)}}, {"held_by": {"$gt": ""}}]}
    return list(collection(Subscription).find(wanted | alive))


def open_row(
    kind: Kind, state: Row, stream: str, before: Row | None, now: datetime
) -> tuple[Row, str] | None:
    """Write down that the provider is being asked for `stream`; return the row and its secret.

    None if somebody else is asking.  What went well or wrong with the row
    `before` goes on with this one.
    """
    token = secrets.token_urlsafe(32)
    inherited = {name: before[name] for name in _INHERITED if before and name in before}
    row: Row = {
        "_id": str(uuid.uuid4()),
        "user_id": state["user_id"],
        "tenant_id": state.get("tenant_id") or DEFAULT_TENANT,
        "provider": kind.provider,
        "source": kind.source,
        "stream": stream,
        "status": "pending",
        "target": kind.target(),
        "token_hash": hash_of(token),
        "created_at": now,
        "retry_at": now + timedelta(seconds=ASK_SECONDS),
        "events": 0,
        "gaps": 0,
        "error_count": before["error_count"] if before else 0,
        **inherited,
        **({"mailbox_id": state["mailbox_id"]} if state.get("mailbox_id") else {}),
    }
    if before and is_live(before, kind.target(), now):
        row["live_since"] = before.get("live_since", now)
    try:
        collection(Subscription).insert_one(row)
    except DuplicateKeyError:
        return None
    return row, token


def hash_of(token: str) -> bytes:
    """Return what is kept of the secret that a provider shows."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def drop(row: Row) -> None:
    """Forget a row for which the provider was never asked."""
    collection(Subscription).delete_one({"_id": row["_id"], "status": "pending"})


def activate(kind: Kind, row: Row, registration: Registration, now: datetime) -> bool:
    """Write down what the provider promised; False if the row was given up meanwhile.

    Also then its names are kept, for they are needed to stop it.
    """
    names: Row = {"expires_at": registration.expires_at, **registration.details}
    if registration.resource_id is not None:
        names["resource_id"] = registration.resource_id
    if registration.route is not None:
        names["route"] = registration.route
    goes_on = row.get("live_since") and (row["status"] == "pending" or _still_live(row, now))
    changes = names | {
        "status": "active",
        "target": kind.target(),
        "renewed_at": now,
        "retry_at": _renewal(kind, registration.expires_at, now),
        "live_since": row["live_since"] if goes_on else now,
        "error_count": 0,
    }
    subscriptions = collection(Subscription)
    given_up = ["stopping", *OVER]
    done = subscriptions.update_one(
        {"_id": row["_id"], "status": {"$nin": given_up}},
        {"$set": changes, "$unset": {"last_error": "", "forget_at": ""}},
    )
    if not done.matched_count:
        subscriptions.update_one({"_id": row["_id"]}, {"$set": names})
    row |= changes if done.matched_count else names | {"status": "stopping"}
    return bool(done.matched_count)


def _still_live(row: Row, now: datetime) -> bool:
    return bool(row["status"] == "active" and row["expires_at"] > now)


def _renewal(kind: Kind, expires_at: datetime, now: datetime) -> datetime:
    """Return when to renew: with a margin, and not for everybody at once."""
    lifetime = (expires_at - now).total_seconds()
    margin = min(settings().subscription_renewal_margin_seconds, lifetime / 2)
    wait = min(lifetime - margin, kind.renew_seconds or lifetime)
    return now + timedelta(seconds=max(0.0, wait * random.uniform(1 - _SPREAD, 1)))


def fail(row: Row, error: BaseException, now: datetime) -> None:
    """Write down that asking for `row` failed; one that lives goes on living."""
    count = row["error_count"] + 1
    match error:
        case NotPushed():
            status, wait = "unsupported", _UNSUPPORTED_SECONDS
        case Permanent():
            status, wait = "failed", _doubled(_REFUSED_SECONDS, count)
        case _:
            status, wait = "failed", _doubled(_TRANSIENT_SECONDS, count)
    changes: Row = {
        "status": row["status"] if _still_live(row, now) else status,
        "error_count": count,
        "last_error": described(error, now),
        "retry_at": now + timedelta(seconds=wait * random.uniform(1 - _SPREAD, 1)),
    }
    given_up = ["stopping", *OVER]
    collection(Subscription).update_one(
        {"_id": row["_id"], "status": {"$nin": given_up}}, {"$set": changes}
    )


def _doubled(seconds: float, count: int) -> float:
    return min(seconds * 2.0 ** min(count - 1, 20), _LONGEST_SECONDS)


def described(error: BaseException, now: datetime) -> Row:
    """Return an error as it is kept: a foreign one's text may hold addresses."""
    known = isinstance(error, HeadraceError)
    text = str(error) if known else "unexpected; see the worker's log"
    return {"class": type(error).__name__, "message": text, "at": now}


def doubt(row_id: str, message: str, now: datetime) -> bool:
    """Take a live subscription for broken, so that another takes its place; count the gap."""
    changed = collection(Subscription).update_one(
        {"_id": row_id, "status": "active"},
        {
            "$set": {
                "status": "failed",
                "retry_at": now,
                "last_error": {"class": "Gap", "message": message, "at": now},
            },
            "$unset": {"doubted_at": "", "doubted_since": ""},
            "$inc": {"gaps": 1},
        },
    )
    return bool(changed.modified_count)


def begin_stop(row: Row, now: datetime) -> None:
    """Write down that `row` is not wanted any more, before the provider is told."""
    changes: Row = {
        "status": "stopping",
        "retry_at": now + timedelta(seconds=ASK_SECONDS),
        "forget_at": _forgotten(row, now),
    }
    collection(Subscription).update_one(
        {"_id": row["_id"], "status": {"$nin": list(OVER)}}, {"$set": changes}
    )
    row |= changes


def end(row: Row, now: datetime) -> None:
    """Write down that nothing more comes of `row`, as far as we know."""
    ran_out = row.get("expires_at") is not None and row["expires_at"] <= now
    status = "expired" if ran_out and row["status"] == "active" else "stopped"
    changes: Row = {"status": status}
    gone: Row = dict.fromkeys(_WATCHES, "")
    if row.get("held_by"):
        gone["forget_at"] = ""
    else:
        changes["forget_at"] = _forgotten(row, now)
    collection(Subscription).update_one({"_id": row["_id"]}, {"$set": changes, "$unset": gone})
    row |= changes


def lose(row: Row, why: str, now: datetime) -> None:
    """Write down that the provider has ended `row` by itself."""
    error: Row = {"class": "Gone", "message": why, "at": now}
    changes = {"status": "expired", "last_error": error, "forget_at": _forgotten(row, now)}
    collection(Subscription).update_one(
        {"_id": row["_id"], "status": {"$nin": ["stopping", *OVER]}},
        {"$set": changes, "$unset": dict.fromkeys(_WATCHES, "")},
    )
    row |= changes


def _forgotten(row: Row, now: datetime) -> datetime:
    """Return until when a row is kept: the provider may still push by it until it expires."""
    expires_at: datetime = row.get("expires_at") or now + LONGEST_LIFE
    return max(expires_at, now) + timedelta(days=1)


def settle(kind: Kind, user_id: str, *, why_not: str = "", due_at: datetime | None = None) -> None:
    """Say on the sync state what may be expected of its subscriptions: the only place that does.

    `why_not`: there should be none, for this reason.  `due_at` is when to look
    again, if not when the rows say so.  Whoever has changed a row calls this
    afterwards; of two at once, the one that saw less begins again.  A state that
    loses its push is due: nobody has watched it since.
    """
    key = {"user_id": user_id, "source": kind.source}
    fields = {"streams": 1, "push.version": 1, "live_push_until": 1}
    while (state := collection(SyncState).find_one(key, fields)) is not None:
        now = datetime.now(UTC)
        version: Any = state.get("push", {}).get("version")
        streams = [] if why_not else kind.streams(state)
        rows = current(user_id, kind.source)
        seen = outlook(streams, rows, target=kind.target(), now=now)
        changes: Row = {
            "live_push_until": seen.live_until,
            "push.due_at": due_at or seen.due_at or now + timedelta(seconds=_LONGEST_SECONDS),
            "push.why_not": why_not,
            "push.version": (version or 0) + 1,
        }
        done = collection(SyncState).update_one(
            {"_id": state["_id"], "push.version": version}, {"$set": changes}
        )
        if done.matched_count:
            before = state.get("live_push_until")
            if before is not None and before > now and seen.live_until is None:
                states.request(user_id, kind.source)
            return
