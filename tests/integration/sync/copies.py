"""A connected user, and the questions that the tests ask of its copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models import Record, SyncState
from pipeline.connect import connect_google
from pipeline.projections import graph, search
from pipeline.sandbox.client import SandboxClient
from pipeline.sources import sources_of
from pipeline.stores import Row, collection, redis_client
from pipeline.sync import engine
from pipeline.sync.report import SyncReport
from pipeline.verify import Verdict, verify

SOURCES = sources_of("google")
CALENDAR, GMAIL, CONTACTS, TASKS = SOURCES

ORDINARY = {
    "calendars": 3,
    "events": 60,
    "messages": 60,
    "contacts": 40,
    "task_lists": 2,
    "tasks": 30,
}


@dataclass
class Copy:
    """One sandbox user and our copy of it."""

    user_id: str
    sandbox: SandboxClient

    def sync(self, source: str, **how: Any) -> SyncReport:
        """Sync one source now, due or not, with all of its quota."""
        redis_client().flushdb()
        return engine.sync(self.user_id, source, **{"force": True, **how})

    def sync_all(self) -> dict[str, SyncReport]:
        """Sync every source and bring the graph up to it."""
        reports = {source: self.sync(source) for source in SOURCES}
        graph.advance(self.user_id)
        return reports

    def verdict(self) -> Verdict:
        """Compare the copy, and what can be found of it, with the sandbox's truth."""
        search.advance(self.user_id)
        return verify(self.user_id, self.sandbox, search=True)

    def state(self, source: str) -> Row:
        """Return the sync state of one source."""
        state = collection(SyncState).find_one({"user_id": self.user_id, "source": source})
        assert state is not None
        return state

    def live(self, source: str) -> dict[str, Any]:
        """Return the items that the copy holds of one source, by id."""
        rows = collection(Record).find(
            {"user_id": self.user_id, "source": source, "deleted_at": None}
        )
        return {row["item_id"]: row["item"] for row in rows}

    def ids(self, source: str, stream: str) -> list[str]:
        """Return the ids of the sandbox's items in one stream."""
        return sorted(i for s, i, _ in self.sandbox.truth(self.user_id, source) if s == stream)


def connected(sandbox: SandboxClient, user_id: str, size: dict[str, int], seed: int = 1) -> Copy:
    """Make a sandbox user of `size` and connect it."""
    sandbox.add_user(user_id, seed=seed, **size)
    connect_google(user_id, sandbox.authorized_user(user_id))
    return Copy(user_id, sandbox)
