"""Users, a page at a time, by search, tenant, source and trouble; each page reads an index.

Without a filter, and with one for a status, users come in the order of their
ids.  Those that are stale come in the order in which they became so, the longest
ago first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, get_args

from models import DEFAULT_TENANT, Connection, SyncState, User
from models.sync_state import TROUBLED
from pipeline.freshness import is_fresh
from pipeline.jobs.controls import pauses
from pipeline.stores import Row, collection
from pipeline.users.explain import Explanation, explained

Trouble = Literal["stale", "needs_reauth", "error", "rate_limited", "paused"]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)

#: The worst first: what only a person can mend, then what mends itself.
_WORST = ("needs_reauth", "error", "rate_limited", "paused", "syncing", "queued", "idle")
#: The end of every text that begins with another: no character comes after it.
_LAST = "\U0010ffff"
_EPOCH = datetime.fromtimestamp(0, UTC)
#: Stale states whose users are looked up together.
_BATCH = 100
_PLACE_FIELDS = {"user_id": 1, "source": 1, "stale_at": 1}
_STATE_FIELDS = (
    *("user_id", "source", "status", "fresh_as_of", "stale_at", "last_attempt_at"),
    *("last_error", "records", "rejected"),
)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source of a user in a list; `fresh` is whether its copy is within target."""

    source: str
    status: str
    fresh: bool
    fresh_as_of: datetime | None
    records: int
    rejected: int


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user in a list.

    `worst` is the status that most needs somebody, `problem` why;
    `connections` has the status of each provider; `last_activity_at` is when a
    source was last looked at.
    """

    user_id: str
    tenant_id: str
    sources: dict[str, SourceRow]
    connections: dict[str, str]
    worst: str | None
    problem: Explanation | None
    last_activity_at: datetime | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which users: `search` is how their ids begin, `status` that of one of their sources."""

    search: str = ""
    trouble: Trouble | None = None
    source: str = ""
    tenant_id: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class UserPage:
    """A part of the list; `next` is where the next part begins, empty at the end."""

    users: list[UserRow] = field(default_factory=list)
    next: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A user that fits, and the place in the list behind it."""

    user_id: str
    place: str


def users(limit: int = 50, *, after: str = "", wanted: Filter | None = None) -> UserPage:
    """Return up to `limit` users that fit, behind the place `after`.

    Raises ValueError for a place that is none, RedisError where pauses are asked for.
    """
    found = _found(wanted or Filter(), after, datetime.now(UTC))
    places = list(islice(found, limit + 1))
    more = len(places) > limit
    places = places[:limit]
    return UserPage(rows_of([p.user_id for p in places]), places[-1].place if more else "")


def rows_of(user_ids: Sequence[str]) -> list[UserRow]:
    """Return these users as they are shown in a list; those that are gone are left out."""
    now, whose = datetime.now(UTC), {"user_id": {"$in": list(user_ids)}}
    states: dict[str, list[Row]] = {}
    for state in collection(SyncState).find(whose, dict.fromkeys(_STATE_FIELDS, 1)):
        states.setdefault(state["user_id"], []).append(state)
    grants: dict[str, dict[str, str]] = {}
    fields = {"user_id": 1, "provider": 1, "status": 1}
    for grant in collection(Connection).find(whose, fields):
        grants.setdefault(grant["user_id"], {})[grant["provider"]] = grant["status"]
    known = collection(User).find({"_id": {"$in": list(user_ids)}})
    tenants = {row["_id"]: row.get("tenant_id") or DEFAULT_TENANT for row in known}
    return [
        _row(user_id, tenants[user_id], states.get(user_id, []), grants.get(user_id, {}), now)
        for user_id in user_ids
        if user_id in tenants
    ]


def _row(
    user_id: str, tenant_id: str, states: list[Row], connections: dict[str, str], now: datetime
) -> UserRow:
    by_need = sorted(states, key=lambda state: _WORST.index(state["status"]))
    failing = [state for state in by_need if state.get("last_error")]
    attempts = [state["last_attempt_at"] for state in states if state.get("last_attempt_at")]
    return UserRow(
        user_id=user_id,
        tenant_id=tenant_id,
        sources={
            state["source"]: SourceRow(
                source=state["source"],
                status=state["status"],
                fresh=is_fresh(state, now),
                fresh_as_of=state.get("fresh_as_of"),
                records=state["records"],
                rejected=state["rejected"],
            )
            for state in sorted(states, key=lambda state: str(state["source"]))
        },
        connections=connections,
        worst=by_need[0]["status"] if by_need else None,
        problem=explained(failing[0]["last_error"]) if failing else None,
        last_activity_at=max(attempts, default=None),
    )


def _found(wanted: Filter, after: str, now: datetime) -> Iterator[_Found]:
    if wanted.trouble == "stale":
        return _stale(wanted, after, now)
    if wanted.trouble == "paused":
        return _paused(wanted, after)
    if wanted.trouble or wanted.status or wanted.source:
        return _with_state(wanted, after)
    return _everybody(wanted, after)


def _everybody(wanted: Filter, after: str) -> Iterator[_Found]:
    query: Row = {"_id": _ids(wanted.search, after)}
    if wanted.tenant_id:
        query["tenant_id"] = wanted.tenant_id
    for row in collection(User).find(query, {"_id": 1}).sort("_id", 1):
        yield _Found(row["_id"], row["_id"])


def _with_state(wanted: Filter, after: str) -> Iterator[_Found]:
    """Yield the users of whom a source has the status, or who have the source."""
    query = _states_of(wanted) | {"user_id": _ids(wanted.search, after)}
    index = ["user_id", "source"]
    if status := wanted.trouble or wanted.status:
        query["status"] = status
        index = ["status", *index] if status in TROUBLED else index
    # Any other index would have to sort.
    rows = collection(SyncState).find(query, {"_id": 0, "user_id": 1}).sort("user_id", 1)
    last = None
    for row in rows.hint([(name, 1) for name in index]):
        if row["user_id"] != last:
            yield _Found(row["user_id"], row["user_id"])
        last = row["user_id"]


def _stale(wanted: Filter, after: str, now: datetime) -> Iterator[_Found]:
    """Yield the users of whom a source is stale, at the place of the one that is so for longest."""
    # Also where it is missing: in rows that were never synced since there is this field.
    since: Row = {"$not": {"$gt": now}}
    query = _states_of(wanted) | {"stale_at": since}
    if wanted.search:
        query["user_id"] = _ids(wanted.search, "")
    if after:
        moment, user_id = _parsed(after)
        behind: Row = {"stale_at": {"$gt": moment or _EPOCH}}
        query["$or"] = [behind, {"stale_at": moment, "user_id": {"$gt": user_id}}]
        if moment is not None:
            since["$gte"] = moment  # so that no page reads what those before it have read
    order = [("stale_at", 1), ("user_id", 1), ("source", 1)]
    rows = collection(SyncState).find(query, _PLACE_FIELDS).sort(order).hint(order)
    for batch in _batches(rows):
        first = _first_of_each(wanted, [row["user_id"] for row in batch])
        for row in batch:
            if row["_id"] == first.get(row["user_id"]):
                yield _Found(row["user_id"], _place(row))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _first_of_each(wanted: Filter, user_ids: list[str]) -> dict[str, object]:
    """Return which state of each user stands first in the list of stale ones."""
    query = _states_of(wanted) | {"user_id": {"$in": user_ids}}
    first: dict[str, Row] = {}
    for row in collection(SyncState).find(query, _PLACE_FIELDS):
        other = first.setdefault(row["user_id"], row)
        if _rank(row) < _rank(other):
            first[row["user_id"]] = row
    return {user_id: row["_id"] for user_id, row in first.items()}


def _rank(row: Row) -> tuple[datetime, str]:
    return row.get("stale_at") or _EPOCH, row["source"]


def _place(row: Row) -> str:
    stale_at: datetime | None = row.get("stale_at")
    milliseconds = "" if stale_at is None else round(stale_at.timestamp() * 1000)
    return f"{milliseconds}-{row['user_id']}"


def _parsed(place: str) -> tuple[datetime | None, str]:
    """Return the moment and the user that `_place` made a place of."""
    milliseconds, _, user_id = place.partition("-")
    if user_id and not milliseconds:
        return None, user_id
    if not user_id or not milliseconds.isdecimal() or len(milliseconds) > 14:
        raise ValueError(f"{place[:60]!r} is not a place in the list of users")
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC), user_id


def _paused(wanted: Filter, after: str) -> Iterator[_Found]:
    """Yield the users who are paused, or of whom a source is."""
    query: Row = {"status": "paused", "user_id": _ids(wanted.search, after)}
    held = set(collection(SyncState).distinct("user_id", _states_of(wanted) | query))
    scopes = (pause.scope.partition(":") for pause in pauses())
    named = [name for kind, _, name in scopes if kind == "user" and name > after]
    known: Row = {"_id": {"$in": [name for name in named if name.startswith(wanted.search)]}}
    if wanted.tenant_id:
        known["tenant_id"] = wanted.tenant_id
    held.update(collection(User).distinct("_id", known))
    if wanted.source:
        having: Row = {"user_id": {"$in": list(held)}, "source": wanted.source}
        held = set(collection(SyncState).distinct("user_id", having))
    yield from (_Found(user_id, user_id) for user_id in sorted(held))


def _states_of(wanted: Filter) -> Row:
    query: Row = {"source": wanted.source} if wanted.source else {}
    return query | ({"tenant_id": wanted.tenant_id} if wanted.tenant_id else {})


def _ids(prefix: str, after: str) -> Row:
    """Return the condition for ids that begin with `prefix` and come behind `after`."""
    if after >= prefix:
        return {"$gt": after, "$lte": prefix + _LAST} if prefix else {"$gt": after}
    return {"$gte": prefix, "$lte": prefix + _LAST}
