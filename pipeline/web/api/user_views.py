"""How users are told: what the admin knows of them, without addresses of their accounts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from pipeline.jobs.controls import Pause
from pipeline.jobs.redaction import masked
from pipeline.users.explain import Explanation
from pipeline.users.listing import UserRow
from pipeline.users.status import ConnectionStatus, SourceStatus, UserStatus


class Trouble(BaseModel):
    """What is wrong, and what to do about it."""

    error: str = Field(description="Its class: Transient, RateLimited, ReauthRequired …")
    text: str
    to_do: str


class SourceSummary(BaseModel):
    """One source of a user in a list."""

    source: str
    status: str = Field(
        description="idle, queued, syncing, rate_limited, error, needs_reauth or paused."
    )
    fresh: bool = Field(description="Whether the copy is within its target.")
    fresh_as_of: datetime | None
    records: int
    rejected: int


class UserSummary(BaseModel):
    """One user in a list."""

    user_id: str
    tenant_id: str
    sources: list[SourceSummary]
    connections: dict[str, str] = Field(description="The status of each connection, by provider.")
    worst: str | None = Field(description="The status of a source that most needs somebody.")
    trouble: Trouble | None
    last_activity_at: datetime | None


class UserList(BaseModel):
    """A page of users."""

    users: list[UserSummary]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class CadenceView(BaseModel):
    """How often a source is looked at, and why."""

    interval_seconds: float
    why: str = Field(description="For programs: pushed, new, busy, quiet or follows.")
    text: str = Field(description="For people.")
    changes_per_hour: float


class BackfillView(BaseModel):
    """A first, or full, listing that is under way."""

    done: int
    total: int | None = Field(description="About so many; None if the provider does not say.")
    share: float | None
    seconds_left: float | None


class PauseView(BaseModel):
    """Because of which nothing starts."""

    scope: str
    until: datetime | None = Field(description="None: until somebody resumes it.")
    reason: str
    by: str


class SourceView(BaseModel):
    """One source of a user, and why it is as it is."""

    source: str
    status: str
    fresh: bool = Field(description="Whether the copy is within its target.")
    fresh_as_of: datetime | None
    stale_at: datetime | None = Field(description="When it is, or was, no longer.")
    age_seconds: float | None
    target_seconds: float
    cadence: CadenceView
    pushed_until: datetime | None = Field(description="Until then the provider pushes changes.")
    pushed_at: datetime | None
    next_due_at: datetime | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    failures: int = Field(description="Syncs in a row that failed.")
    trouble: Trouble | None
    backfill: BackfillView | None
    records: int
    rejected: int
    graph_behind: int = Field(description="Changes that the graph has not seen.")
    graph_trouble: Trouble | None
    search_behind: int = Field(description="Changes that search has not seen.")
    search_trouble: Trouble | None
    held_by: list[PauseView]


class ConnectionView(BaseModel):
    """One grant of a user."""

    provider: str
    broker: str
    status: str = Field(description="active, needs_reauth, broken or disconnected.")
    trouble: Trouble | None
    account: str = Field(description="Its address, masked; empty if it is not known.")
    granted: list[str] = Field(description="Sources that it allows, as far as is known.")
    missing: list[str] = Field(description="Sources that it does not allow.")
    connected_at: datetime
    refreshed_at: datetime | None


class ConnectionList(BaseModel):
    """The connections of a user."""

    connections: list[ConnectionView]


class UserView(BaseModel):
    """One user."""

    user_id: str
    tenant_id: str
    created_at: datetime | None
    connections: list[ConnectionView]
    sources: list[SourceView]
    paused: PauseView | None
    active: bool = Field(description="False: nothing is synced, learned or done for the user.")
    erasing: bool = Field(description="All that is known of the user is being deleted.")


def summary_of(row: UserRow) -> UserSummary:
    """Return what is told of a user in a list."""
    return UserSummary(
        user_id=row.user_id,
        tenant_id=row.tenant_id,
        sources=[SourceSummary(**asdict(source)) for source in row.sources.values()],
        connections=row.connections,
        worst=row.worst,
        trouble=_trouble(row.problem),
        last_activity_at=row.last_activity_at,
    )


def user_of(status: UserStatus) -> UserView:
    """Return all that is told of a user."""
    return UserView(
        user_id=status.user_id,
        tenant_id=status.tenant_id,
        created_at=status.created_at,
        connections=[connection_of(connection) for connection in status.connections],
        sources=[_source(source) for source in status.sources],
        paused=_pause(status.paused) if status.paused else None,
        active=status.active,
        erasing=status.erasing,
    )


def connection_of(status: ConnectionStatus) -> ConnectionView:
    """Return what is told of a connection."""
    return ConnectionView(
        **_same(status, "provider", "broker", "status", "connected_at", "refreshed_at"),
        trouble=_trouble(status.problem),
        account=masked(status.account),
        granted=list(status.granted),
        missing=list(status.missing),
    )


def _source(status: SourceStatus) -> SourceView:
    cadence, backfill = status.cadence, status.backfill
    return SourceView(
        **_same(
            status,
            *("source", "status", "fresh", "fresh_as_of", "stale_at", "age_seconds"),
            *("target_seconds", "pushed_until", "pushed_at", "next_due_at", "last_attempt_at"),
            *("last_success_at", "failures", "records", "rejected", "graph_behind"),
            "search_behind",
        ),
        cadence=CadenceView(
            **_same(cadence, "interval_seconds", "why", "changes_per_hour"), text=str(cadence)
        ),
        trouble=_trouble(status.problem),
        backfill=None
        if backfill is None
        else BackfillView(**_same(backfill, "done", "total", "share", "seconds_left")),
        graph_trouble=_trouble(status.graph_problem),
        search_trouble=_trouble(status.search_problem),
        held_by=[_pause(pause) for pause in status.held_by],
    )


def _same(status: object, *names: str) -> dict[str, Any]:
    return {name: getattr(status, name) for name in names}


def _trouble(problem: Explanation | None) -> Trouble | None:
    if problem is None:
        return None
    return Trouble(error=problem.error, text=problem.text, to_do=problem.to_do)


def _pause(pause: Pause) -> PauseView:
    return PauseView(scope=pause.scope, until=pause.until, reason=masked(pause.reason), by=pause.by)
