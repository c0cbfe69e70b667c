"""What a sync would change: the same run, with nothing claimed and nothing written."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from models import Record, SyncState
from pipeline.clients.opening import client_for
from pipeline.config import settings
from pipeline.errors import Permanent
from pipeline.sources import source_named
from pipeline.sources.base import Page, Source
from pipeline.stores import Row, collection, mongodb
from pipeline.sync.comparing import SWEEP_BATCH, Changes
from pipeline.sync.landing import Counts, GenerationOf, Lander
from pipeline.sync.run import BudgetSpent, Run
from pipeline.sync.states import Claim


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a sync would do, and what it costs: `units` of the provider's quota.

    Not `complete`: time was up first, and there may be more of everything.
    """

    counts: Counts
    calls: int
    units: int
    complete: bool


class _DryClaim(Claim):
    """A claim on a copy of the state: every write is left out."""

    def write(self, patch: Row, session: ClientSession | None = None) -> None:
        """Leave it out."""

    def write_pipeline(self, stages: list[Row]) -> None:
        """Leave it out."""


class _DryLander(Lander):
    """Compares pages with what is stored; remembers in memory what it would have written."""

    def __init__(self, user_id: str, source: Source, ends_at: float) -> None:
        super().__init__(user_id, source)
        self._ends_at = ends_at
        self._seen: set[bytes] = set()
        self._written: dict[bytes, Row] = {}

    def compare(self, stream: str, page: Page, generation: int | None) -> Changes:
        """Compare, and note every item that `page` names.  Raises BudgetSpent."""
        if time.monotonic() > self._ends_at:
            raise BudgetSpent
        broken = [rejected.item_id for rejected in page.rejected if rejected.item_id]
        named = [*page.upserts, *page.deletions, *page.departed, *broken]
        self._seen.update(self.row_id(stream, item_id) for item_id in named)
        return super().compare(stream, page, generation)

    def unseen(
        self,
        stream: str,
        generation: int,  # noqa: ARG002
        most: int = SWEEP_BATCH,
    ) -> set[str]:
        """Return up to `most` live items that no page has named."""
        unseen: set[str] = set()
        for row in collection(Record).find(self.live(stream), {"item_id": 1}):
            if row["_id"] not in self._seen:
                unseen.add(row["item_id"])
            if len(unseen) == most:
                break
        return unseen

    def known(self, stream: str, item_ids: Collection[str]) -> dict[bytes, Row]:
        """Return what is stored of these items, or would be by now."""
        rows = super().known(stream, item_ids)
        ids = (self.row_id(stream, item_id) for item_id in item_ids)
        return rows | {row_id: self._written[row_id] for row_id in ids if row_id in self._written}

    def land(
        self,
        claim: Claim,  # noqa: ARG002
        stream: str,
        page: Page,  # noqa: ARG002
        changes: Changes,
        generation_of: GenerationOf,
        patch: Row,  # noqa: ARG002
        now: datetime,
    ) -> None:
        """Remember it, and write nothing."""
        written = dict.fromkeys(changes.deleted, None) | {
            item_id: digest for item_id, (_, digest) in (changes.created | changes.updated).items()
        }
        for item_id, digest in written.items():
            home = changes.homes.get(item_id, stream)
            self._written[self.row_id(stream, item_id)] = {
                "stream": home,
                "content_hash": digest,
                "generation": generation_of(home),
                "deleted_at": now if digest is None else None,
            }


def dry_run(
    user_id: str, source_name: str, *, full: bool = False, limit_seconds: float | None = None
) -> DryRun:
    """Return what a sync of (user, source) would do now; `full` ignores the cursors.

    Reads the provider, and so costs quota.  After `limit_seconds`, or those that a
    sync has, it stops with what it knows.  Raises Permanent for a source that the
    user has not connected, and whatever the provider raises.
    """
    source = source_named(source_name)
    state = collection(SyncState).find_one({"user_id": user_id, "source": source_name})
    if state is None:
        raise Permanent(f"user {user_id!r} has not connected {source_name}")
    seconds = settings().sync_budget_seconds if limit_seconds is None else limit_seconds
    complete = True
    with (
        client_for(source.provider, user_id, source_name) as client,
        mongodb().client.start_session() as session,
    ):
        lander = _DryLander(user_id, source, time.monotonic() + seconds)
        claim = _DryClaim(state, session)
        run = Run(claim, source, client, lander, datetime.now(UTC), full=full)
        try:
            run.all_streams()
        except BudgetSpent:
            complete = False
    # A call to Microsoft Graph is one unit, whatever it asks for.
    units: int = getattr(client, "units", client.calls)
    return DryRun(run.counts, client.calls, units, complete)
