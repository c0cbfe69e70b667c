"""What a source is: pages of items out of a cursor, nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

Item = dict[str, Any]
#: Where a stream stopped, in the provider's own words; opaque to the engine.
Cursor = dict[str, Any]
#: Where to go on inside a full listing; opaque to the engine.
Resume = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that did not pass the quality gate.  `raw` is the item as JSON text."""

    item_id: str | None
    reason: str
    raw: str


@dataclass(slots=True)
class Page:
    """What one provider answer says about a stream.

    `departed` are items that a stream has no more, though another one may have
    them: what became of them is asked before they are deleted.

    `cursor` is set once everything up to and including this page may be
    skipped next time: always on the last page, never in the middle of a full
    listing.  `resume` is where a full listing goes on after this page.
    `total` is the provider's estimate of all items of a listing.
    """

    upserts: dict[str, Item] = field(default_factory=dict)
    deletions: set[str] = field(default_factory=set)
    departed: set[str] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)
    cursor: Cursor | None = None
    resume: Resume | None = None
    total: int | None = None

    def delete(self, item_id: str) -> None:
        """Note that the provider, or our window, no longer has `item_id`."""
        self.upserts.pop(item_id, None)
        self.deletions.add(item_id)

    def take(self, other: Page) -> None:
        """Add what `other` says; it is newer than this."""
        for item_id, item in other.upserts.items():
            self.deletions.discard(item_id)
            self.upserts[item_id] = item
        for item_id in other.deletions:
            self.delete(item_id)
        self.rejected += other.rejected


class ProviderClient(Protocol):
    """The calls that a source makes; see pipeline.clients, GoogleClient and MicrosoftClient."""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call `method` and return the decoded answer; raises pipeline.errors."""

    def batch(
        self, method: str, params: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Exception]:
        """Call `method` once per element; an answer or an error for each, in order."""


@runtime_checkable
class PrefetchingClient(ProviderClient, Protocol):
    """A client that can fetch several links in few requests."""

    def prefetch(self, links: Sequence[str]) -> None:
        """Fetch these links, for the calls that follow them next."""


class Source(Protocol):
    """One dataset of one connection, as streams of pages.

    What comes after `as_landed` is for sources whose items move from stream to
    stream; the others leave it as it is.
    """

    name: str
    provider: str
    #: The stream that is read first; its items may each open a stream of their own.
    root_stream: str
    #: A cursor older than this is given up for a full listing; None: never.
    relist_after: timedelta | None
    #: Field by which an item names the one that it goes with, when that is deleted.
    parent_field: str | None
    #: The projections that follow what lands; each has a watermark of this name.
    projections: tuple[str, ...] = ("graph", "search")
    #: Polled as often as its freshness target asks, however quiet or well pushed it is.
    polled_on_target: bool = False
    #: Items of which `departed` is asked at once.
    departed_at_once: int = 1000

    def child_stream(self, item_id: str) -> str | None:
        """Return the stream that an item of the root stream opens, if any."""

    def fingerprint(self, stream: str) -> str:
        """Return a hash of the request's parameters; a cursor is bound to them."""

    def first_cursor(self, now: datetime) -> Cursor:
        """Return what a full listing that starts `now` must remember, such as its window."""

    def pages(self, client: ProviderClient, stream: str, cursor: Cursor) -> Iterator[Page]:
        """Yield what changed since `cursor`.  Raises CursorExpired."""

    def listing(
        self, client: ProviderClient, stream: str, start: Cursor, resume: Resume | None
    ) -> Iterator[Page]:
        """Yield all items of `stream`, going on at `resume`.

        `start` is what `first_cursor` gave when this listing began.
        """

    def as_landed(self, stream: str, item: Item, cursor: Cursor) -> Item | None:
        """Return `item` as we keep it, or None if it is outside of what we keep."""

    def identity(self, stream: str) -> str:
        """Return what item ids of `stream` are unique in: a stream, or several under one name."""
        return stream

    def home(self, stream: str, item: Item) -> str:  # noqa: ARG002
        """Return the stream that an item found in `stream` is in by its own account."""
        return stream

    def departed(
        self,
        client: ProviderClient,  # noqa: ARG002
        stream: str,  # noqa: ARG002
        ids: Collection[str],
        cursor: Cursor,  # noqa: ARG002
    ) -> Page:
        """Return what became of items that `stream` does not have any more.

        `cursor` is that of `stream`.  What the provider still has is an upsert,
        wherever its home is.
        """
        return Page(deletions=set(ids))

    def prefetch(
        self,
        client: ProviderClient,  # noqa: ARG002
        cursors: Sequence[Cursor],  # noqa: ARG002
    ) -> None:
        """Have what changed since these cursors fetched in few requests, if the provider can."""
        return


def fingerprint_of(params: Mapping[str, Any]) -> str:
    """Return a short hash of request parameters, the same for the same parameters."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
