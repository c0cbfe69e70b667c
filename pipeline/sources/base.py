"""What a source is: pages of items out of a cursor, nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

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

    `cursor` is set once everything up to and including this page may be
    skipped next time: always on the last page, never in the middle of a full
    listing.  `resume` is where a full listing goes on after this page.
    `total` is the provider's estimate of all items of a listing.
    """

    upserts: dict[str, Item] = field(default_factory=dict)
    deletions: set[str] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)
    cursor: Cursor | None = None
    resume: Resume | None = None
    total: int | None = None

    def delete(self, item_id: str) -> None:
        """Note that the provider, or our window, no longer has `item_id`."""
        self.upserts.pop(item_id, None)
        self.deletions.add(item_id)


class ProviderClient(Protocol):
    """The calls that a source makes; see pipeline.clients.google.GoogleClient."""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call `method` and return the decoded answer; raises pipeline.errors."""

    def batch(
        self, method: str, params: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | Exception]:
        """Call `method` once per element; an answer or an error for each, in order."""


class Source(Protocol):
    """One dataset of one connection, as streams of pages."""

    name: str
    provider: str
    #: The stream that is read first; its items may each open a stream of their own.
    root_stream: str
    #: A cursor older than this is given up for a full listing; None: never.
    relist_after: timedelta | None
    #: Field by which an item names the one that it goes with, when that is deleted.
    parent_field: str | None

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


def fingerprint_of(params: Mapping[str, Any]) -> str:
    """Return a short hash of request parameters, the same for the same parameters."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
