"""One run over the streams of a claimed source: incremental where a cursor serves, else in full."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.config import settings
from pipeline.errors import CursorExpired, Gone, LeaseLost, Permanent, Transient
from pipeline.sources.base import Cursor, Page, ProviderClient, Resume, Source
from pipeline.stores import Row
from pipeline.sync.landing import Changes, Counts, Lander
from pipeline.sync.states import Claim, stream_key

log = logging.getLogger(__name__)

#: Providers do not say how long a page token lives; an older listing starts over.
LONGEST_PAUSE_OF_A_LISTING = timedelta(hours=1)


#: Told a share from 0 to 1, and words without personal data.
Progress = Callable[[float, str], None]


def untold(_share: float, _words: str) -> None:
    """Tell nobody how far a listing is."""


class BudgetSpent(Exception):
    """The run's time is up; what is left goes to a later run."""


@dataclass(slots=True)
class Run:
    """The streams of one claimed (user, source), and what has been done to them."""

    claim: Claim
    source: Source
    client: ProviderClient
    lander: Lander
    started_at: datetime
    full: bool = False
    progress: Progress = untold
    counts: Counts = field(default_factory=Counts)
    #: Cursors of streams in which nothing changed; written with the next write that is due anyway.
    pending: Row = field(default_factory=dict)
    #: Streams with changes since the last run; what a full listing finds may be older.
    changed_streams: set[str] = field(default_factory=set)
    #: Whether a stream came or went.
    streams_changed: bool = False
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + settings().sync_budget_seconds

    def all_streams(self) -> None:
        """Bring every stream up to date.  Raises BudgetSpent and pipeline.errors."""
        if self.full:
            self._forget_cursors()
        self._stream(self.source.root_stream)
        for stream in self._children():
            if self._stored(stream).get("removed"):
                self._drop(stream)
            else:
                self._child(stream)

    def _forget_cursors(self) -> None:
        patch: Row = {}
        for key, stored in self.claim.state["streams"].items():
            stored["fingerprint"] = patch[f"streams.{key}.fingerprint"] = None
            if stored.get("listing"):  # its generation must not be given out again
                stored["listing"]["fingerprint"] = None
                patch[f"streams.{key}.listing.fingerprint"] = None
        if patch:
            self.claim.write(patch)

    def _stored(self, stream: str) -> Row:
        """Return what the state holds of `stream`."""
        streams: dict[str, Row] = self.claim.state["streams"]
        return streams.setdefault(stream_key(stream), {"name": stream, "generation": 0})

    def _children(self) -> list[str]:
        names = [stored["name"] for stored in self.claim.state["streams"].values()]
        return sorted(name for name in names if name != self.source.root_stream)

    def _child(self, stream: str) -> None:
        """Sync a stream that may vanish meanwhile: the next root listing decides."""
        try:
            self._stream(stream)
        except Gone:
            log.warning("stream is gone", extra={"source": self.source.name})
            self._note(stream, error="the provider says that it does not exist")

    def _stream(self, stream: str) -> None:
        if not self._needs_listing(stream):
            try:
                return self._changes(stream)
            except CursorExpired:
                log.info("cursor expired", extra={"source": self.source.name})
        return self._list(stream)

    def _needs_listing(self, stream: str) -> bool:
        stored = self._stored(stream)
        if not stored.get("cursor") or stored.get("listing"):
            return True
        if stored.get("fingerprint") != self.source.fingerprint(stream):
            return True
        limit = self.source.relist_after
        return limit is not None and self.started_at - stored["listed_at"] > limit

    def _changes(self, stream: str) -> None:
        cursor = self._stored(stream)["cursor"]
        for page in self.source.pages(self.client, stream, cursor):
            patch: Row = {}
            if page.cursor is not None and page.cursor != cursor:
                patch["cursor"] = page.cursor
            if self._stored(stream).get("error"):
                patch["error"] = None
            self._land(stream, page, None, patch)

    def _list(self, stream: str) -> None:
        """Read a stream in full under a new generation, then sweep what was not seen."""
        listing = self._listing(stream, afresh=False)
        try:
            self._read_listing(stream, listing)
        except (CursorExpired, Permanent):
            if listing["resume"] is None:
                raise
            log.info("listing starts over", extra={"source": self.source.name})
            return self._read_listing(stream, self._listing(stream, afresh=True))
        if listing["started_at"] < self.started_at:
            # An earlier run began it: what has changed since then is not in it.
            self._changes(stream)
        return None

    def _listing(self, stream: str, *, afresh: bool) -> Row:
        """Return the listing to go on with, or a new one under the next generation."""
        stored = self._stored(stream)
        listing: Row | None = stored.get("listing")
        fingerprint = self.source.fingerprint(stream)
        if listing and not afresh:
            pause = self.started_at - listing["touched_at"]
            if pause < LONGEST_PAUSE_OF_A_LISTING and listing["fingerprint"] == fingerprint:
                return listing
        return {
            "generation": _last_generation(stored) + 1,
            "started_at": self.started_at,
            "start": self.source.first_cursor(self.started_at),
            "fingerprint": fingerprint,
            "resume": None,
            "touched_at": self.started_at,
            "done": 0,
            "total": None,
            "unidentified": 0,
            "cursor": None,
        }

    def _read_listing(self, stream: str, listing: Row) -> None:
        start: Cursor = listing["start"]
        resume: Resume | None = listing["resume"]
        if listing["cursor"] is None:
            for page in self.source.listing(self.client, stream, start, resume):
                listing = {
                    **listing,
                    "resume": page.resume,
                    "cursor": page.cursor,
                    "touched_at": datetime.now(UTC),
                    "done": listing["done"] + len(page.upserts) + len(page.rejected),
                    "unidentified": listing["unidentified"]
                    + sum(rejected.item_id is None for rejected in page.rejected),
                    "total": page.total or listing["total"],
                }
                self._land(stream, page, listing["generation"], {"listing": listing})
                self._tell(stream, listing["done"], listing["total"])
        if listing["cursor"] is None:
            raise Transient("the listing ended without its last page")
        if listing["unidentified"]:
            # Any unseen record may be one of the items whose id could not be read.
            log.warning(
                "nothing is swept after unreadable items", extra={"source": self.source.name}
            )
        else:
            self._sweep(stream, listing["generation"])
        self._note(
            stream,
            cursor=listing["cursor"],
            fingerprint=listing["fingerprint"],
            generation=listing["generation"],
            listed_at=listing["started_at"],
            listing=None,
            error=None,
        )

    def _tell(self, stream: str, done: int, total: int | None) -> None:
        kind = stream.partition("/")[0]  # what follows may be an e-mail address
        if total:
            self.progress(min(1.0, done / total), f"{kind}: {done:,} of about {total:,}")
        else:
            self.progress(0.0, f"{kind}: {done:,} so far")

    def _sweep(self, stream: str, generation: int) -> None:
        """Delete what a complete listing did not show."""
        while unseen := self.lander.unseen(stream, generation):
            self._land(stream, Page(deletions=unseen), generation, {})

    def _drop(self, stream: str) -> None:
        """Delete all records of a stream that the provider took away, then forget it."""
        self._sweep(stream, _last_generation(self._stored(stream)) + 1)
        key = stream_key(stream)
        self.claim.write_pipeline([{"$unset": f"streams.{key}"}])
        del self.claim.state["streams"][key]

    def _land(self, stream: str, page: Page, generation: int | None, fields: Row) -> None:
        """Land one page together with `fields` of its stream, unless there is nothing to write."""
        if self.claim.lost.is_set():
            raise LeaseLost("the lease ran out")
        changes = self.lander.compare(stream, page, generation)
        if changes.numbered and generation is None:
            self.changed_streams.add(stream)
        children = self._children_patch(stream, page)
        self.streams_changed |= bool(children)
        patch = self._stream_patch(stream, fields) | children
        if changes.numbered or changes.to_stamp or page.rejected or children or generation:
            stamp = self._stored(stream)["generation"] if generation is None else generation
            now = datetime.now(UTC)
            self.lander.land(self.claim, stream, page, changes, stamp, self.pending | patch, now)
            self.pending = {}
            self._count(page, changes)
            # Only after progress that lasts: a run that finds nothing new must get to the end.
            if time.monotonic() > self._deadline:
                raise BudgetSpent
        else:
            self.pending |= patch
            self._count(page, changes)

    def _stream_patch(self, stream: str, fields: Row) -> Row:
        if not fields:
            return {}
        stored = self._stored(stream)
        stored.update(fields)
        prefix = f"streams.{stream_key(stream)}"
        return {f"{prefix}.{name}": stored[name] for name in (*fields, "name", "generation")}

    def _note(self, stream: str, **fields: Any) -> None:
        self.pending |= self._stream_patch(stream, fields)

    def _children_patch(self, stream: str, page: Page) -> Row:
        """Open a stream for each new item of the root stream, and mark those of deleted ones."""
        if stream != self.source.root_stream:
            return {}
        patch: Row = {}
        for item_id, removed in [(i, False) for i in page.upserts] + [
            (i, True) for i in page.deletions
        ]:
            child = self.source.child_stream(item_id)
            if child is None:
                continue
            key = stream_key(child)
            known = self.claim.state["streams"].get(key)
            if removed and known and not known.get("removed"):
                known["removed"] = True
                patch[f"streams.{key}.removed"] = True
            elif not removed and (known is None or known.get("removed")):
                # A stream that comes back is listed anew: its cursor may have missed something.
                fresh = {"name": child, "generation": _last_generation(known) if known else 0}
                self.claim.state["streams"][key] = fresh
                patch[f"streams.{key}"] = fresh
        return patch

    def _count(self, page: Page, changes: Changes) -> None:
        self.counts.add(
            Counts(
                created=len(changes.created),
                updated=len(changes.updated),
                deleted=len(changes.deleted),
                unchanged=changes.unchanged,
                rejected=len(page.rejected),
            )
        )


def _last_generation(stored: Row) -> int:
    """Return the newest generation that a record of this stream may bear."""
    listing: Row = stored.get("listing") or {}
    return max(int(stored["generation"]), int(listing.get("generation", 0)))
