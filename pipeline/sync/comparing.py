"""Comparing: what of a provider page is news against the records that there are."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from models import Record
from models.record import record_id
from pipeline.sources.base import Item, Page, Source
from pipeline.stores import Row, collection

#: Records per transaction of a sweep.
SWEEP_BATCH = 1000


def content_hash(item: Item) -> bytes:
    """Return a hash that is equal for equal items, whatever the order of their fields."""
    text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(slots=True)
class Changes:
    """A page compared with what is stored: only what must be written.

    `homes` has the streams of items that are in another one than they were found in.
    """

    created: dict[str, tuple[Item, bytes]] = field(default_factory=dict)
    updated: dict[str, tuple[Item, bytes]] = field(default_factory=dict)
    restored: int = 0
    deleted: list[str] = field(default_factory=list)
    unchanged: int = 0
    to_stamp: list[bytes] = field(default_factory=list)
    homes: dict[str, str] = field(default_factory=dict)

    @property
    def numbered(self) -> int:
        """How many sequence numbers these changes need."""
        return len(self.created) + len(self.updated) + len(self.deleted)


def _differs(stored: Row, digest: bytes, home: str) -> bool:
    gone = stored["deleted_at"] is not None
    return gone or stored["content_hash"] != digest or bool(stored["stream"] != home)


class Comparer:
    """Compares the pages of the streams of one (user, source) with what is stored."""

    def __init__(self, user_id: str, source: Source) -> None:
        self._user_id = user_id
        self._described = source
        self._source = source.name
        self._parent_field = source.parent_field

    def row_id(self, stream: str, item_id: str) -> bytes:
        """Return the `_id` of an item's record, which it keeps when it moves."""
        identity = self._described.identity(stream)
        return record_id(self._user_id, self._source, identity, item_id)

    def compare(self, stream: str, page: Page, generation: int | None) -> Changes:
        """Return what of `page` is news; with `generation`, also what must be marked as seen."""
        parents = self._parents(page)
        seen_broken = [r.item_id for r in page.rejected if r.item_id]
        deletions = page.deletions | self._dependents(stream, page.deletions)
        wanted = {*page.upserts, *deletions, *seen_broken, *parents.values()}
        known = self.known(stream, wanted)
        for item_id, parent in parents.items():
            stored = known.get(self.row_id(stream, parent))
            gone = stored is not None and stored["deleted_at"] is not None
            if parent in page.deletions or (gone and parent not in page.upserts):
                deletions.add(item_id)
        changes = Changes()
        for item_id, item in page.upserts.items():
            if item_id not in deletions:
                self._compare_item(changes, stream, item_id, item, known, generation)
        for item_id in seen_broken:  # it is there, only unreadable: the sweep must spare it
            row_id = self.row_id(stream, item_id)
            self._stamp(changes, stream, row_id, known.get(row_id), generation)
        for item_id in sorted(deletions):
            stored = known.get(self.row_id(stream, item_id))
            if stored is not None and stored["deleted_at"] is None:
                changes.deleted.append(item_id)
        return changes

    def _compare_item(
        self,
        changes: Changes,
        stream: str,
        item_id: str,
        item: Item,
        known: Mapping[bytes, Row],
        generation: int | None,
    ) -> None:
        row_id, digest = self.row_id(stream, item_id), content_hash(item)
        stored = known.get(row_id)
        home = self._described.home(stream, item)
        if home != stream:
            changes.homes[item_id] = home
        if stored is None:
            changes.created[item_id] = (item, digest)
        elif _differs(stored, digest, home):
            changes.updated[item_id] = (item, digest)
            changes.restored += stored["deleted_at"] is not None
        else:
            changes.unchanged += 1
            self._stamp(changes, stream, row_id, stored, generation)

    def _stamp(
        self,
        changes: Changes,
        stream: str,
        row_id: bytes,
        stored: Row | None,
        generation: int | None,
    ) -> None:
        if stored is None or generation is None or stored["stream"] != stream:
            return  # each stream counts its own generations
        if stored["generation"] < generation:
            changes.to_stamp.append(row_id)

    def _parents(self, page: Page) -> dict[str, str]:
        """Return the parent of each item that goes when its parent goes.

        Google reports the exceptions of a deleted series as cancelled instances,
        just like those of a series that lives on.
        """
        field = self._parent_field
        if field is None:
            return {}
        return {i: item[field] for i, item in page.upserts.items() if item.get(field)}

    def known(self, stream: str, item_ids: Collection[str]) -> dict[bytes, Row]:
        """Return what to compare of those items that have a record, by its id."""
        if not item_ids:
            return {}
        rows = collection(Record).find(
            {"_id": {"$in": [self.row_id(stream, item_id) for item_id in item_ids]}},
            {"content_hash": 1, "generation": 1, "deleted_at": 1, "stream": 1},
        )
        return {row["_id"]: row for row in rows}

    def _dependents(self, stream: str, parents: set[str]) -> set[str]:
        """Return the items that go with their deleted `parents`.

        Google reports the deletion of a series, but not of each of its exceptions.
        """
        if not parents or self._parent_field is None:
            return set()
        rows = collection(Record).find(
            self.live(stream) | {f"item.{self._parent_field}": {"$in": sorted(parents)}},
            {"item_id": 1},
        )
        return {row["item_id"] for row in rows}

    def elsewhere(self, stream: str, item_ids: Collection[str]) -> set[str]:
        """Return those of these items that are live in another stream by now."""
        known = self.known(stream, item_ids)
        rows = {item_id: known.get(self.row_id(stream, item_id)) for item_id in item_ids}
        return {
            item_id
            for item_id, row in rows.items()
            if row and row["deleted_at"] is None and row["stream"] != stream
        }

    def unseen(self, stream: str, generation: int, most: int = SWEEP_BATCH) -> set[str]:
        """Return up to `most` live items that no page of `generation` has shown."""
        rows = collection(Record).find(
            self.live(stream) | {"generation": {"$lt": generation}}, {"item_id": 1}
        )
        return {row["item_id"] for row in rows.limit(most)}

    def live(self, stream: str) -> Row:
        """Return the filter for the live records of `stream`."""
        return {
            "user_id": self._user_id,
            "source": self._source,
            "stream": stream,
            "deleted_at": None,
        }
