"""The streams of a claimed state: what is stored of each, and the writes that change it."""

from __future__ import annotations

from datetime import datetime

from pipeline.sources.base import Cursor, Page, Source
from pipeline.stores import Row
from pipeline.sync.states import stream_key


class Streams:
    """Reads and changes the streams of `state` in memory; what is to be written is returned."""

    def __init__(self, state: Row, source: Source) -> None:
        self._stored: dict[str, Row] = state["streams"]
        self._source = source

    def of(self, stream: str) -> Row:
        """Return what the state holds of `stream`."""
        return self._stored.setdefault(stream_key(stream), {"name": stream, "generation": 0})

    def children(self) -> list[str]:
        """Return all streams but the root."""
        names = [stored["name"] for stored in self._stored.values()]
        return sorted(name for name in names if name != self._source.root_stream)

    def is_open(self, stream: str) -> bool:
        """Return whether `stream` is there, and the provider has not taken it away."""
        stored = self._stored.get(stream_key(stream))
        return stored is not None and not stored.get("removed")

    def needs_listing(self, stream: str, at: datetime) -> bool:
        """Return whether the cursor of `stream` does not serve, or is too old by now."""
        stored = self.of(stream)
        if not stored.get("cursor") or stored.get("listing"):
            return True
        if stored.get("fingerprint") != self._source.fingerprint(stream):
            return True
        limit = self._source.relist_after
        return limit is not None and at - stored["listed_at"] > limit

    def window(self, stream: str, at: datetime) -> Cursor:
        """Return the cursor of `stream`, or what a listing that begins `at` would have."""
        stored = self._stored.get(stream_key(stream)) or {}
        listing: Row = stored.get("listing") or {}
        cursor: Cursor | None = stored.get("cursor") or listing.get("start")
        return cursor or self._source.first_cursor(at)

    def next_generation(self, stream: str) -> int:
        """Return a generation that no record of `stream` bears yet."""
        return _last_generation(self.of(stream)) + 1

    def generation(self, found_in: str, listing: int | None, home: str) -> int:
        """Return as of which generation of `home` an item is seen that was found just now.

        `listing` is the generation of the listing of `found_in` that is under way.
        """
        stored = self._stored.get(stream_key(home)) or {"generation": 0}
        if home != found_in:
            return _last_generation(stored)
        return int(stored["generation"]) if listing is None else listing

    def change(self, stream: str, **fields: object) -> Row:
        """Set fields of `stream`; return what to write."""
        if not fields:
            return {}
        stored = self.of(stream)
        stored.update(fields)
        prefix = f"streams.{stream_key(stream)}"
        return {f"{prefix}.{name}": stored[name] for name in (*fields, "name", "generation")}

    def forget_cursors(self) -> Row:
        """Give up all cursors, also of listings; return what to write."""
        patch: Row = {}
        for key, stored in self._stored.items():
            stored["fingerprint"] = patch[f"streams.{key}.fingerprint"] = None
            if stored.get("listing"):  # its generation must not be given out again
                stored["listing"]["fingerprint"] = None
                patch[f"streams.{key}.listing.fingerprint"] = None
        return patch

    def forget(self, stream: str) -> list[Row]:
        """Drop `stream`; return the update that does."""
        key = stream_key(stream)
        del self._stored[key]
        return [{"$unset": f"streams.{key}"}]

    def follow(self, page: Page) -> Row:
        """Open a stream for each new item of the root stream, and mark those of deleted ones."""
        patch: Row = {}
        for item_id in page.upserts:
            patch |= self._open(self._source.child_stream(item_id))
        for item_id in page.deletions:
            patch |= self._mark_removed(self._source.child_stream(item_id))
        return patch

    def _open(self, child: str | None) -> Row:
        if child is None or self.is_open(child):
            return {}
        # A stream that comes back is listed anew: its cursor may have missed something.
        key = stream_key(child)
        known = self._stored.get(key)
        fresh = {"name": child, "generation": _last_generation(known) if known else 0}
        self._stored[key] = fresh
        return {f"streams.{key}": fresh}

    def _mark_removed(self, child: str | None) -> Row:
        if child is None or not self.is_open(child):
            return {}
        key = stream_key(child)
        self._stored[key]["removed"] = True
        return {f"streams.{key}.removed": True}


def _last_generation(stored: Row) -> int:
    """Return the newest generation that a record of this stream may bear."""
    listing: Row = stored.get("listing") or {}
    return max(int(stored["generation"]), int(listing.get("generation", 0)))
