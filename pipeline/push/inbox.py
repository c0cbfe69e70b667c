"""Notifications as they come in: who they are for, whether they are genuine, and kept.

Many at a time, in one read and one write: this is the hot path of the web.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pymongo import timeout
from pymongo.errors import BulkWriteError

from models import Subscription, WebhookDelivery
from pipeline.config import settings
from pipeline.push.plan import OVER
from pipeline.push.rows import hash_of
from pipeline.stores import Row, collection

#: What came of a notification.  `stale`: its subscription is over, but not yet for the provider.
Outcome = Literal["accepted", "duplicate", "confirmed", "stale", "unknown", "forged"]

#: A provider waits for some seconds, and sends again what was not answered.
STORE_SECONDS = 3.0
_DUPLICATE_KEY = 11000
_KEPT = ("accepted", "stale")
_FIELDS = ("source", "tenant_id", "status", "token_hash", "resource_id", "route")


@dataclass(frozen=True, slots=True)
class ChannelNotice:
    """A notification of a watch channel, as its headers say."""

    channel_id: str
    token: str
    number: int
    is_first: bool
    resource_id: str


@dataclass(frozen=True, slots=True)
class MailboxNotice:
    """A genuine notification for whoever has the mailbox that `routes` stand for."""

    message_id: str
    routes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GraphNotice:
    """One of Microsoft Graph's notifications.

    `state` is what we gave when we subscribed: the row's id and its secret.  `key` is
    the same if it is sent again, and no other's; `lifecycle` is set where it is
    about the subscription itself.
    """

    subscription_id: str
    state: str
    key: str
    lifecycle: str | None = None

    @property
    def row_id(self) -> str:
        """The id of the row that it says it is for."""
        return self.state.partition(":")[0]

    @property
    def names(self) -> tuple[str, str]:
        """What it says that it is for: of two that differ, one must not stand for the other."""
        return (self.row_id, self.subscription_id)

    @property
    def token(self) -> str:
        """The secret that it shows."""
        return self.state.partition(":")[2]


Notice = ChannelNotice | MailboxNotice | GraphNotice
#: Rows by what a notice names: the id of a channel, what stands for a mailbox, or row and name.
_Found = dict[str | bytes | tuple[str, str], list[Row]]


@dataclass(slots=True)
class Verdict:
    """What came of a notification; `wake` has subscription and tenant of each job to send."""

    outcome: Outcome
    wake: list[tuple[str, str]] = field(default_factory=list)


def accept(notices: Sequence[Notice]) -> list[Verdict]:
    """Judge and keep all of `notices`; return what came of each, in order.

    What is kept is safe: a job that gets lost is missed by `waiting`.  Raises
    PyMongoError if it is not known whether they are kept; to send them again
    does no harm.
    """
    now = datetime.now(UTC)
    with timeout(STORE_SECONDS):
        found = _find(notices)
        verdicts = [_judged(notice, found) for notice in notices]
        _confirm(zip(notices, verdicts, strict=True), now)
        kept = [
            (verdict, _delivery(notice, row, now))
            for notice, verdict in zip(notices, verdicts, strict=True)
            if verdict.outcome in _KEPT
            for row in _rows_of(notice, found)
        ]
        _keep(kept)
    return verdicts


def _find(notices: Sequence[Notice]) -> _Found:
    """Return the rows that the notices may be for, by channel or mailbox: one read of each."""
    channels = {n.channel_id for n in notices if isinstance(n, ChannelNotice)}
    routes = {r for n in notices if isinstance(n, MailboxNotice) for r in n.routes}
    found: _Found = {}
    if channels:
        wanted: Row = {"_id": {"$in": list(channels)}}
        found |= {r["_id"]: [r] for r in collection(Subscription).find(wanted, _FIELDS)}
    if routes:
        alive: Row = {"$nin": ["stopping", *OVER]}
        wanted = {"provider": "google", "route": {"$in": list(routes)}, "status": alive}
        for row in collection(Subscription).find(wanted, _FIELDS):
            found.setdefault(row["route"], []).append(row)
    return found | _find_graphs([n for n in notices if isinstance(n, GraphNotice)])


def _find_graphs(notices: Sequence[GraphNotice]) -> _Found:
    """Return the rows that Graph's notices name, by subscription: it is known, or shown."""
    if not notices:
        return {}
    row_ids = list({notice.row_id for notice in notices})
    names = list({notice.subscription_id for notice in notices})
    wanted: Row = {"$or": [{"_id": {"$in": row_ids}}, {"resource_id": {"$in": names}}]}
    rows = list(collection(Subscription).find({"provider": "microsoft"} | wanted, _FIELDS))
    by_id = {row["_id"]: row for row in rows}
    by_name = {row["resource_id"]: row for row in rows if row.get("resource_id")}
    found: _Found = {}
    for notice in notices:
        row = by_id.get(notice.row_id) or by_name.get(notice.subscription_id)
        if row is not None:
            found[notice.names] = [row]
    return found


def _rows_of(notice: Notice, found: _Found) -> list[Row]:
    """Return who a notice is for: of a mailbox everybody who has it."""
    match notice:
        case ChannelNotice():
            return found.get(notice.channel_id, [])
        case GraphNotice():
            return found.get(notice.names, [])
        case MailboxNotice():
            return [row for route in notice.routes for row in found.get(route, ())]


def _judged(notice: Notice, found: _Found) -> Verdict:
    rows = _rows_of(notice, found)
    if not rows:
        return Verdict("unknown")
    if isinstance(notice, MailboxNotice):
        return Verdict("accepted")
    [row] = rows
    if not _is_genuine(notice, row):
        return Verdict("forged")
    if row["status"] == "stopping" or row["status"] in OVER:
        return Verdict("stale")
    first = isinstance(notice, ChannelNotice) and notice.is_first
    return Verdict("confirmed" if first else "accepted")


def _is_genuine(notice: ChannelNotice | GraphNotice, row: Row) -> bool:
    # In constant time, so that a token cannot be guessed bit by bit.
    shown = hmac.compare_digest(row["token_hash"], hash_of(notice.token))
    name = notice.resource_id if isinstance(notice, ChannelNotice) else notice.subscription_id
    # The first notification may overtake the answer that tells the resource's id.
    return shown and row.get("resource_id", name) == name


def _confirm(judged: Iterable[tuple[Notice, Verdict]], now: datetime) -> None:
    """Note the channels that have spoken for the first time."""
    ids = [
        notice.channel_id
        for notice, verdict in judged
        if verdict.outcome == "confirmed" and isinstance(notice, ChannelNotice)
    ]
    if ids:
        spoken = {"$set": {"confirmed_at": now}}
        collection(Subscription).update_many({"_id": {"$in": ids}}, spoken)


def _delivery(notice: Notice, row: Row, now: datetime) -> Row:
    delivery: Row = {
        "source": row["source"],
        "subscription_id": row["_id"],
        "tenant_id": row["tenant_id"],
        "received_at": now,
        "open": True,
        "expires_at": now + timedelta(days=settings().webhook_retention_days),
    }
    if isinstance(notice, ChannelNotice):
        return delivery | {
            "_id": f"{notice.channel_id}:{notice.number}",
            "number": notice.number,
            "resource_id": notice.resource_id,
        }
    if isinstance(notice, GraphNotice):
        about = {"lifecycle": notice.lifecycle} if notice.lifecycle else {}
        key = {"_id": f"{row['_id']}:{notice.key}", "resource_id": notice.subscription_id}
        return delivery | key | about
    return delivery | {"_id": f"{notice.message_id}:{row['_id']}"}


def _keep(kept: Sequence[tuple[Verdict, Row]]) -> None:
    """Store the deliveries, and say on each verdict which jobs follow."""
    if not kept:
        return
    known: set[int] = set()
    try:
        collection(WebhookDelivery).insert_many([row for _, row in kept], ordered=False)
    except BulkWriteError as error:
        known = _known_before(error)
    for number, (verdict, row) in enumerate(kept):
        if number not in known:
            verdict.wake.append((row["subscription_id"], row["tenant_id"]))
    for verdict, _ in kept:
        if not verdict.wake:
            verdict.outcome = "duplicate"


def _known_before(error: BulkWriteError) -> set[int]:
    """Return which of the inserted were there already; raises `error` if that is not all of it."""
    details: Any = error.details
    failed = details["writeErrors"]
    if details["writeConcernErrors"] or any(one["code"] != _DUPLICATE_KEY for one in failed):
        raise error
    return {one["index"] for one in failed}


def waiting(until: datetime, limit: int) -> set[tuple[str, str]]:
    """Return subscription and tenant of up to `limit` deliveries that came before `until` and
    that no job has acted on."""
    rows = collection(WebhookDelivery).find(
        {"open": True, "received_at": {"$lte": until}}, {"subscription_id": 1, "tenant_id": 1}
    )
    rows = rows.sort("received_at", 1).limit(limit)
    return {(row["subscription_id"], row["tenant_id"]) for row in rows}
