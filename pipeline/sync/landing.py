"""Landing: one provider page becomes durable records, in one transaction.

The transaction also moves the sequence number and the cursor, and begins by
writing the state under the run's fence: a run that lost its lease changes
nothing at all, and a number is published exactly with the records that bear it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

from pymongo import DeleteMany, InsertOne, UpdateMany, UpdateOne
from pymongo.client_session import ClientSession

from models import Record, RejectedItem, SyncState
from models.record import record_id
from pipeline.sources.base import Item, Page
from pipeline.stores import Row, collection
from pipeline.sync.states import Claim

Operation = InsertOne[Row] | UpdateOne | UpdateMany | DeleteMany

#: Records per transaction of a sweep.
SWEEP_BATCH = 1000


@dataclass(slots=True)
class Counts:
    """What a run did, in records."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0

    def add(self, other: Counts) -> None:
        """Add `other` to these."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def changed(self) -> int:
        """How many records got a new sequence number."""
        return self.created + self.updated + self.deleted


def content_hash(item: Item) -> bytes:
    """Return a hash that is equal for equal items, whatever the order of their fields."""
    text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(slots=True)
class Changes:
    """A page compared with what is stored: only what must be written."""

    created: dict[str, tuple[Item, bytes]] = field(default_factory=dict)
    updated: dict[str, tuple[Item, bytes]] = field(default_factory=dict)
    restored: int = 0
    deleted: list[str] = field(default_factory=list)
    unchanged: int = 0
    to_stamp: list[bytes] = field(default_factory=list)

    @property
    def numbered(self) -> int:
        """How many sequence numbers these changes need."""
        return len(self.created) + len(self.updated) + len(self.deleted)


class Lander:
    """Compares and lands the pages of one stream of one (user, source)."""

    def __init__(self, user_id: str, source: str, parent_field: str | None) -> None:
        self._user_id = user_id
        self._source = source
        self._parent_field = parent_field

    def row_id(self, stream: str, item_id: str) -> bytes:
        """Return the `_id` of an item's record."""
        return record_id(self._user_id, self._source, stream, item_id)

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
            if item_id in deletions:
                continue
            row_id = self.row_id(stream, item_id)
            stored = known.get(row_id)
            digest = content_hash(item)
            if stored is None:
                changes.created[item_id] = (item, digest)
            elif stored["deleted_at"] is not None or stored["content_hash"] != digest:
                changes.updated[item_id] = (item, digest)
                changes.restored += stored["deleted_at"] is not None
            else:
                changes.unchanged += 1
                self._stamp(changes, row_id, stored, generation)
        for item_id in seen_broken:  # it is there, only unreadable: the sweep must spare it
            row_id = self.row_id(stream, item_id)
            self._stamp(changes, row_id, known.get(row_id), generation)
        for item_id in sorted(deletions):
            stored = known.get(self.row_id(stream, item_id))
            if stored is not None and stored["deleted_at"] is None:
                changes.deleted.append(item_id)
        return changes

    def _stamp(
        self, changes: Changes, row_id: bytes, stored: Row | None, generation: int | None
    ) -> None:
        if stored and generation is not None and stored["generation"] < generation:
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
        """Return hash, generation and deletion of those items that have a record, by its id."""
        if not item_ids:
            return {}
        rows = collection(Record).find(
            {"_id": {"$in": [self.row_id(stream, item_id) for item_id in item_ids]}},
            {"content_hash": 1, "generation": 1, "deleted_at": 1},
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

    def unseen(self, stream: str, generation: int) -> set[str]:
        """Return up to SWEEP_BATCH live items that no page of `generation` has shown."""
        rows = collection(Record).find(
            self.live(stream) | {"generation": {"$lt": generation}}, {"item_id": 1}
        )
        return {row["item_id"] for row in rows.limit(SWEEP_BATCH)}

    def live(self, stream: str) -> Row:
        """Return the filter for the live records of `stream`."""
        return {
            "user_id": self._user_id,
            "source": self._source,
            "stream": stream,
            "deleted_at": None,
        }

    def land(
        self,
        claim: Claim,
        stream: str,
        page: Page,
        changes: Changes,
        generation: int,
        patch: Row,
        now: datetime,
    ) -> None:
        """Write `changes`, the rejected items and `patch` of the state, all or nothing.

        Raises LeaseLost, and writes nothing, if another run has taken over.
        """
        state = claim.state
        first = state["seq"] + 1
        rows = list(self._rows(stream, changes, generation, first, now))
        set_aside = self._set_aside(stream, page, state["rejected"], now)
        advanced = {
            **patch,
            "seq": state["seq"] + changes.numbered,
            "records": state["records"]
            + len(changes.created)
            + changes.restored
            - len(changes.deleted),
        }
        if changes.numbered:
            advanced["projections.graph.due_at"] = now

        def write(session: ClientSession) -> int:
            claim.write(advanced, session)
            if rows:
                collection(Record).bulk_write(rows, ordered=False, session=session)
            if not set_aside:
                return int(state["rejected"])
            collection(RejectedItem).bulk_write(set_aside, ordered=False, session=session)
            kept = collection(RejectedItem).count_documents(
                {"user_id": self._user_id, "source": self._source}, session=session
            )
            collection(SyncState).update_one(
                claim.key, {"$set": {"rejected": kept}}, session=session
            )
            return kept

        state["rejected"] = claim.session.with_transaction(write)
        state["seq"], state["records"] = advanced["seq"], advanced["records"]

    def _rows(
        self, stream: str, changes: Changes, generation: int, first: int, now: datetime
    ) -> Iterable[Operation]:
        number = first
        for item_id, (item, digest) in changes.created.items():
            yield InsertOne(
                {
                    "_id": self.row_id(stream, item_id),
                    "user_id": self._user_id,
                    "source": self._source,
                    "stream": stream,
                    "item_id": item_id,
                    **self._content(item, digest, generation, number, now, None),
                }
            )
            number += 1
        for item_id, (item, digest) in changes.updated.items():
            content = self._content(item, digest, generation, number, now, None)
            yield UpdateOne({"_id": self.row_id(stream, item_id)}, {"$set": content})
            number += 1
        for item_id in changes.deleted:
            content = self._content(None, None, generation, number, now, now)
            yield UpdateOne({"_id": self.row_id(stream, item_id)}, {"$set": content})
            number += 1
        if changes.to_stamp:
            yield UpdateMany(
                {"_id": {"$in": changes.to_stamp}}, {"$set": {"generation": generation}}
            )

    def _content(
        self,
        item: Item | None,
        digest: bytes | None,
        generation: int,
        seq: int,
        now: datetime,
        deleted_at: datetime | None,
    ) -> Row:
        return {
            "item": item,
            "content_hash": digest,
            "generation": generation,
            "seq": seq,
            "landed_at": now,
            "deleted_at": deleted_at,
        }

    def _set_aside(self, stream: str, page: Page, already: int, now: datetime) -> list[Operation]:
        """Return the writes that keep rejected items, and forget those that came right."""
        writes: list[Operation] = []
        for rejected in page.rejected:
            row_id = self.row_id(stream, rejected.item_id or rejected.raw)
            content: dict[str, Any] = {
                "user_id": self._user_id,
                "source": self._source,
                "stream": stream,
                "item_id": rejected.item_id,
                "reason": rejected.reason,
                "raw": rejected.raw,
                "rejected_at": now,
            }
            writes.append(UpdateOne({"_id": row_id}, {"$set": content}, upsert=True))
        mended = [*page.upserts, *page.deletions]
        if already and mended:
            ids = [self.row_id(stream, item_id) for item_id in mended]
            writes.append(DeleteMany({"_id": {"$in": ids}}))
        return writes
