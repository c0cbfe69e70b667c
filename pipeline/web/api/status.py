"""How the fleet is: freshness by source, queues, dead letters, stores."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pipeline import freshness
from pipeline.dead_letters import open_by_queue
from pipeline.jobs.controls import pauses
from pipeline.jobs.reading import depths
from pipeline.jobs.workers import serving, workers
from pipeline.queues import QUEUES
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.stores import part, prober

router = APIRouter(tags=["status"])

#: Freshness is read from every sync state: more often than this would be waste.
_FRESHNESS_SECONDS = 5.0


class SourceStatus(BaseModel):
    """All users of one source."""

    source: str
    target_seconds: float = Field(description="How old a copy may get.")
    users: int
    fresh: int = Field(description="Users whose copy is within the target.")
    share: float = Field(description="Their share, from 0 to 1.")
    due: int
    statuses: dict[str, int] = Field(description="Users by status of their sync.")
    records: int
    rejected: int
    lag: int = Field(description="Changes that the graph has not seen.")
    lagging_users: int
    oldest_seconds: float | None = Field(description="Age of the oldest copy.")


class QueueStatus(BaseModel):
    """One queue."""

    queue: str
    waiting: int
    running: int
    delayed: int
    failed: int = Field(description="As far as history keeps them.")
    oldest_seconds: float = Field(description="How long the longest waiting job has waited.")
    paused: bool
    workers: int = Field(description="Worker processes that take its jobs.")
    dead_letters: int | None = Field(description="Open ones; None while MongoDB is down.")


class StoreStatus(BaseModel):
    """One store, as it answered lately."""

    store: str
    ok: bool
    latency_ms: float
    problem: str


class Status(BaseModel):
    """How the fleet is.  What lives in a store that is down is None."""

    at: datetime
    sources: list[SourceStatus] | None = Field(
        description="Of the users that the token may know of; some seconds old at most."
    )
    queues: list[QueueStatus] | None = Field(
        description="None also for a token that is for one tenant: queues are everybody's."
    )
    stores: list[StoreStatus]


class _Freshness:
    """Freshness by tenant, read once for all who ask within some seconds."""

    def __init__(self) -> None:
        self._read: dict[str | None, tuple[float, list[SourceStatus]]] = {}
        self._lock = threading.Lock()

    def of(self, tenant_id: str | None) -> list[SourceStatus]:
        """Return the freshness of each source, of one tenant or of all."""
        with self._lock:
            now = time.monotonic()
            self._read = {t: read for t, read in self._read.items() if read[0] > now}
            if tenant_id not in self._read:
                found = freshness.by_source(datetime.now(UTC), tenant_id=tenant_id)
                rows = [SourceStatus(**asdict(one), share=one.share) for one in found]
                self._read[tenant_id] = time.monotonic() + _FRESHNESS_SECONDS, rows
            return self._read[tenant_id][1]


@cache
def _freshness() -> _Freshness:
    return _Freshness()


@router.get("/status")
def get_status(caller: Annotated[Caller, allowed("users:read", "jobs:read")]) -> Status:
    """Tell how fresh the copies are, what waits, and which stores answer.

    Answers also while a store is down.
    """
    sources = part("mongodb", lambda: _freshness().of(caller.tenant_id))
    queues = None if caller.tenant_id is not None else part("redis", _queues).value
    health = prober().health().values()
    return Status(
        at=datetime.now(UTC),
        sources=sources.value,
        queues=queues,
        stores=[
            StoreStatus(store=h.store, ok=h.ok, latency_ms=h.latency_ms, problem=h.problem)
            for h in health
        ],
    )


def _queues() -> list[QueueStatus]:
    letters = part("mongodb", open_by_queue).value
    paused = {pause.scope for pause in pauses()}
    known = workers()
    return [
        QueueStatus(
            queue=name,
            **asdict(depth),
            paused=f"queue:{name}" in paused,
            workers=len(serving(name, known)),
            dead_letters=None if letters is None else letters.get(name, 0),
        )
        for name, depth in depths(QUEUES).items()
    ]
