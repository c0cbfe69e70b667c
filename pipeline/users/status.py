"""One user: the connections, each source, and why it is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models import DEFAULT_TENANT, Connection, SyncRun, SyncState, User
from pipeline.clients.scopes import missing_scope
from pipeline.config import settings
from pipeline.freshness import is_fresh, stale_at
from pipeline.jobs.controls import Pause
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection
from pipeline.sync import erasures
from pipeline.sync.cadence import Cadence
from pipeline.sync.held import pauses_of_syncs, scopes_of
from pipeline.users.backfill import LISTINGS, Backfill, backfill_of
from pipeline.users.explain import Explanation, explained

#: Newest syncs of each source that are told of.
_RUNS = 5


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One grant.  `missing` has the sources whose scope it lacks; `problem` why it does not serve.

    `account` is the address of the account, empty if that is not known.
    """

    provider: str
    broker: str
    status: str
    problem: Explanation | None
    account: str
    granted: tuple[str, ...]
    missing: tuple[str, ...]
    connected_at: datetime
    refreshed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """One sync that ran."""

    outcome: str
    started_at: datetime
    seconds: float
    calls: int
    created: int
    updated: int
    deleted: int
    rejected: int
    problem: Explanation | None

    @property
    def changes(self) -> int:
        """How many records it changed."""
        return self.created + self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source of a user.

    `fresh` is whether the copy is within target, until `stale_at`.  `cadence` says
    how often it is looked at, `str` of it why.  `pushed_until` is set while the
    provider pushes.  `graph_behind` and `search_behind` count changes that the graph and
    search have not seen; `held_by` are the pauses because of which nothing of it starts.
    """

    source: str
    status: str
    fresh: bool
    fresh_as_of: datetime | None
    stale_at: datetime | None
    age_seconds: float | None
    target_seconds: float
    cadence: Cadence
    pushed_until: datetime | None
    pushed_at: datetime | None
    next_due_at: datetime | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    failures: int
    problem: Explanation | None
    backfill: Backfill | None
    records: int
    rejected: int
    graph_behind: int
    graph_problem: Explanation | None
    search_behind: int
    search_problem: Explanation | None
    held_by: tuple[Pause, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class UserStatus:
    """One user.  `erasing`: all that is known of the user is being deleted.

    Nothing is done for one who is not `active`.
    """

    user_id: str
    tenant_id: str
    created_at: datetime | None
    connections: tuple[ConnectionStatus, ...]
    sources: tuple[SourceStatus, ...]
    paused: Pause | None
    active: bool
    erasing: bool


def status_of(user_id: str, *, pauses: Sequence[Pause] | None = None) -> UserStatus | None:
    """Return all that is known of a user, None if there is no such user.

    `pauses` are those in force, which are read if they are not given; none are
    known while Redis does not answer.  Raises RedisError and PyMongoError.
    """
    user = collection(User).find_one({"_id": user_id})
    erasing = erasures.under_way(user_id)
    if user is None and not erasing:
        return None
    user = user or {}
    tenant_id = user.get("tenant_id") or DEFAULT_TENANT
    held = tuple(pauses_of_syncs() if pauses is None else pauses)
    now = datetime.now(UTC)
    return UserStatus(
        user_id=user_id,
        tenant_id=tenant_id,
        created_at=user.get("created_at"),
        connections=tuple(_connections(user_id)),
        sources=tuple(_source(state, tenant_id, held, now) for state in _states(user_id)),
        paused=next((pause for pause in held if pause.scope == f"user:{user_id}"), None),
        active=user.get("is_active") is not False,
        erasing=erasing,
    )


def _connections(user_id: str) -> list[ConnectionStatus]:
    rows = collection(Connection).find({"user_id": user_id}).sort("provider", 1)
    return [_connection(row) for row in rows]


def _connection(row: Row) -> ConnectionStatus:
    scopes = row.get("granted_scopes") or ()
    named = [name for name, source in SOURCES.items() if source.provider == row["provider"]]
    missing = [name for name in named if scopes and missing_scope(scopes, name)]
    problem: Row = {"class": "ReauthRequired", "message": row.get("status_reason") or row["status"]}
    return ConnectionStatus(
        provider=row["provider"],
        broker=row["broker"],
        status=row["status"],
        problem=None if row["status"] == "active" else explained(problem),
        account=row.get("email") or "",
        granted=tuple(name for name in named if scopes and name not in missing),
        missing=tuple(missing),
        connected_at=row["connected_at"],
        refreshed_at=row.get("refreshed_at"),
    )


def _states(user_id: str) -> list[Row]:
    """Return the states of a user; of their streams, which may be many, only the listings."""
    return list(
        collection(SyncState).aggregate(
            [
                {"$match": {"user_id": user_id}},
                {"$set": {"listings": LISTINGS}},
                {"$unset": ["streams", "session"]},
                {"$sort": {"source": 1}},
            ]
        )
    )


def _source(state: Row, tenant_id: str, pauses: Sequence[Pause], now: datetime) -> SourceStatus:
    user_id, source = state["user_id"], state["source"]
    projections: Row = state.get("projections") or {}
    graph, search = projections.get("graph", {}), projections.get("search", {})
    fresh_as_of: datetime | None = state.get("fresh_as_of")
    pushed_until: datetime | None = state.get("live_push_until")
    scopes = scopes_of(state, tenant_id)
    return SourceStatus(
        source=source,
        status=state["status"],
        fresh=is_fresh(state, now),
        fresh_as_of=fresh_as_of,
        stale_at=stale_at(state),
        age_seconds=(now - fresh_as_of).total_seconds() if fresh_as_of else None,
        target_seconds=settings().freshness_target_seconds(source),
        cadence=Cadence.of(state),
        pushed_until=pushed_until if pushed_until and pushed_until > now else None,
        pushed_at=state.get("pushed_at"),
        next_due_at=state.get("next_due_at"),
        last_attempt_at=state.get("last_attempt_at"),
        last_success_at=state.get("last_success_at"),
        failures=state["consecutive_failures"],
        problem=explained(state.get("last_error")),
        backfill=backfill_of(user_id, source, state["listings"]),
        records=state["records"],
        rejected=state["rejected"],
        graph_behind=state["seq"] - graph.get("seq", 0),
        graph_problem=explained(graph.get("error")),
        search_behind=state["seq"] - search.get("seq", 0),
        search_problem=explained(search.get("error")),
        held_by=tuple(pause for pause in pauses if pause.scope in scopes),
        runs=tuple(_runs(user_id, source)),
    )


def _runs(user_id: str, source: str) -> list[Run]:
    found = collection(SyncRun).find({"user_id": user_id, "source": source})
    return [_run(row) for row in found.sort("started_at", -1).limit(_RUNS)]


def _run(row: Row) -> Run:
    counts: dict[str, Any] = {
        name: row.get(name, 0) for name in ("calls", "created", "updated", "deleted", "rejected")
    }
    return Run(
        outcome=row["outcome"],
        started_at=row["started_at"],
        seconds=row["seconds"],
        problem=explained(row.get("error")),
        **counts,
    )
