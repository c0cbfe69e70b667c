"""One run over the streams of a claimed source: incremental where a cursor serves, else in full."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pipeline.config import settings
from pipeline.errors import CursorExpired, Gone, LeaseLost, Permanent, Transient
from pipeline.sources.base import Cursor, Item, Page, ProviderClient, Resume, Source
from pipeline.stores import Row
from pipeline.sync.landing import Counts, Lander
from pipeline.sync.states import Claim
from pipeline.sync.streams import Streams

log = logging.getLogger(__name__)

#: Providers do not say how long a page token lives; an older listing starts over.
LONGEST_PAUSE_OF_A_LISTING = timedelta(hours=1)
#: Streams whose changes are fetched ahead: what came is kept in memory until its turn.
_PREFETCHED = 20


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
    streams: Streams = field(init=False)
    _deadline: float = field(init=False)
    #: Streams that items are in and that the root stream does not have.
    _unknown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + settings().sync_budget_seconds
        self.streams = Streams(self.claim.state, self.source)

    def all_streams(self) -> None:
        """Bring every stream up to date.  Raises BudgetSpent and pipeline.errors."""
        if self.full and (patch := self.streams.forget_cursors()):
            self.claim.write(patch)
        self._stream(self.source.root_stream)
        done: set[str] = set()
        while coming := [name for name in self.streams.children() if name not in done]:
            for start in range(0, len(coming), _PREFETCHED):
                part = coming[start : start + _PREFETCHED]
                self._prefetch(part)
                for stream in part:
                    self._child(stream)
            done.update(coming)  # what came meanwhile is read, too

    def _prefetch(self, streams: list[str]) -> None:
        cursors = [
            self.streams.of(stream)["cursor"]
            for stream in streams
            if not self.streams.of(stream).get("removed")
            and not self.streams.needs_listing(stream, self.started_at)
        ]
        if len(cursors) > 1:
            self.source.prefetch(self.client, cursors)

    def _child(self, stream: str) -> None:
        """Sync a stream that may vanish meanwhile: the next root listing decides."""
        if self.streams.of(stream).get("removed"):
            return self._drop(stream)
        try:
            self._stream(stream)
        except Gone:
            log.warning("stream is gone", extra={"source": self.source.name})
            self._note(stream, error="the provider says that it does not exist")
        return None

    def _stream(self, stream: str) -> None:
        if not self.streams.needs_listing(stream, self.started_at):
            try:
                return self._changes(stream)
            except CursorExpired:
                log.info("cursor expired", extra={"source": self.source.name})
        return self._list(stream)

    def _changes(self, stream: str) -> None:
        cursor = self.streams.of(stream)["cursor"]
        for page in self.source.pages(self.client, stream, cursor):
            patch: Row = {}
            if page.cursor is not None and page.cursor != cursor:
                patch["cursor"] = page.cursor
            if self.streams.of(stream).get("error"):
                patch["error"] = None
            self._land(stream, page, None, patch)

    def _list(self, stream: str) -> None:
        """Read a stream in full under a new generation, then sweep what was not seen."""
        listing = self._listing(stream, afresh=False)
        try:
            self._read_listing(stream, listing)
        except (CursorExpired, Permanent) as error:
            begun: Row = self.streams.of(stream).get("listing") or {}
            expired = isinstance(error, CursorExpired) and begun.get("resume") is not None
            if listing["resume"] is None and not expired:
                raise
            log.info("listing starts over", extra={"source": self.source.name})
            return self._read_listing(stream, self._listing(stream, afresh=True))
        if listing["started_at"] < self.started_at:
            # An earlier run began it: what has changed since then is not in it.
            self._changes(stream)
        return None

    def _listing(self, stream: str, *, afresh: bool) -> Row:
        """Return the listing to go on with, or a new one under the next generation."""
        stored = self.streams.of(stream)
        listing: Row | None = stored.get("listing")
        fingerprint = self.source.fingerprint(stream)
        if listing and not afresh:
            pause = self.started_at - listing["touched_at"]
            if pause < LONGEST_PAUSE_OF_A_LISTING and listing["fingerprint"] == fingerprint:
                return listing
        return {
            "generation": self.streams.next_generation(stream),
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
        most = self.source.departed_at_once
        while unseen := self.lander.unseen(stream, generation, most):
            self._land(stream, self._found(stream, unseen), generation, {})

    def _found(self, stream: str, ids: set[str]) -> Page:
        """Ask what became of items that `stream` does not have any more."""
        window = self.streams.window(stream, self.started_at)
        return self.source.departed(self.client, stream, ids, window)

    def _drop(self, stream: str) -> None:
        """Delete all records of a stream that the provider took away, then forget it.

        Those of them that are in another stream by now live on there.
        """
        generation = self.streams.next_generation(stream)
        most = self.source.departed_at_once
        while left := self.lander.unseen(stream, generation, most):
            page = self._found(stream, left)
            for item_id, item in list(page.upserts.items()):
                if self.source.home(stream, item) == stream:
                    page.delete(item_id)
            self._land(stream, page, generation, {})
        self.claim.write_pipeline(self.streams.forget(stream))

    def _land(self, stream: str, page: Page, generation: int | None, fields: Row) -> None:
        """Land one page together with `fields` of its stream, unless there is nothing to write."""
        if self.claim.lost.is_set():
            raise LeaseLost("the lease ran out")
        self._resolve(stream, page)
        changes = self.lander.compare(stream, page, generation)
        if changes.numbered and generation is None:
            self.changed_streams.add(stream)
        children = self.streams.follow(page) if stream == self.source.root_stream else {}
        self.streams_changed |= bool(children)
        patch = self.streams.change(stream, **fields) | children
        if changes.numbered or changes.to_stamp or page.rejected or children or generation:
            self.lander.land(
                self.claim,
                stream,
                page,
                changes,
                partial(self.streams.generation, stream, generation),
                self.pending | patch,
                datetime.now(UTC),
            )
            self.pending = {}
            self.counts.add(Counts.of(page, changes))
            # Only after progress that lasts: a run that finds nothing new must get to the end.
            if time.monotonic() > self._deadline:
                raise BudgetSpent
        else:
            self.pending |= patch
            self.counts.add(Counts.of(page, changes))

    def _resolve(self, stream: str, page: Page) -> None:
        """Find out where the items of `page` are that have left `stream`."""
        if page.departed:
            # What is known to be elsewhere is that stream's to tell of.
            asked = page.departed - self.lander.elsewhere(stream, page.departed)
            if asked:
                page.take(self._found(stream, asked))
        for item_id, item in list(page.upserts.items()):
            home = self.source.home(stream, item)
            if home == stream:
                continue
            landed = self._landed_at(home, item)
            if landed is None:
                page.delete(item_id)
            else:
                page.upserts[item_id] = landed

    def _landed_at(self, home: str, item: Item) -> Item | None:
        """Return `item` as its home keeps it, or None if there is no such stream."""
        if not self._knows(home):
            return None
        return self.source.as_landed(home, item, self.streams.window(home, self.started_at))

    def _knows(self, stream: str) -> bool:
        """Return whether a stream exists, by the provider's newest account."""
        if self.streams.is_open(stream):
            return True
        if stream in self._unknown:
            return False
        self._changes(self.source.root_stream)
        if not self.streams.is_open(stream):
            self._unknown.add(stream)
        return self.streams.is_open(stream)

    def _note(self, stream: str, **fields: Any) -> None:
        self.pending |= self.streams.change(stream, **fields)
