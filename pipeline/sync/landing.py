"""Landing: one provider page becomes durable records, in one transaction.

The transaction also moves the sequence number and the cursor, and begins by
writing the state under the run's fence: a run that lost its lease changes
nothing at all, and a number is published exactly with the records that bear it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pymongo import DeleteMany, InsertOne, UpdateMany, UpdateOne
from pymongo.client_session import ClientSession

from models import Record, RejectedItem, SyncState
from pipeline.sources.base import Item, Page
from pipeline.stores import Row, collection
from pipeline.sync.comparing import Changes, Comparer
from pipeline.sync.states import Claim

Operation = InsertOne[Row] | UpdateOne | UpdateMany | DeleteMany
GenerationOf = Callable[[str], int]


@dataclass(slots=True)
class Counts:
    """What a run did, in records."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0

    @classmethod
    def of(cls, page: Page, changes: Changes) -> Self:
        """Return what landing `changes`, which came of `page`, does."""
        return cls(
            created=len(changes.created),
            updated=len(changes.updated),
            deleted=len(changes.deleted),
            unchanged=changes.unchanged,
            rejected=len(page.rejected),
        )

    def add(self, other: Counts) -> None:
        """Add `other` to these."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def changed(self) -> int:
        """How many records got a new sequence number."""
        return self.created + self.updated + self.deleted


class Lander(Comparer):
    """Compares and lands the pages of the streams of one (user, source)."""

    def land(
        self,
        claim: Claim,
        stream: str,
        page: Page,
        changes: Changes,
        generation_of: GenerationOf,
        patch: Row,
        now: datetime,
    ) -> None:
        """Write `changes`, the rejected items and `patch` of the state, all or nothing.

        `generation_of` says as of which generation of its stream an item is seen
        now.  Raises LeaseLost, and writes nothing, if another run has taken over.
        """
        state = claim.state
        first = state["seq"] + 1
        rows = list(self._rows(stream, changes, generation_of, first, now))
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
            advanced |= {f"projections.{name}.due_at": now for name in self._described.projections}

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
        self,
        stream: str,
        changes: Changes,
        generation_of: GenerationOf,
        first: int,
        now: datetime,
    ) -> Iterable[Operation]:
        number = first
        for item_id, (item, digest) in changes.created.items():
            home = changes.homes.get(item_id, stream)
            yield InsertOne(
                {
                    "_id": self.row_id(stream, item_id),
                    "user_id": self._user_id,
                    "source": self._source,
                    "stream": home,
                    "item_id": item_id,
                    **self._content(item, digest, generation_of(home), number, now, None),
                }
            )
            number += 1
        for item_id, (item, digest) in changes.updated.items():
            home = changes.homes.get(item_id, stream)
            content = self._content(item, digest, generation_of(home), number, now, None)
            changed = {"$set": {"stream": home} | content}
            yield UpdateOne({"_id": self.row_id(stream, item_id)}, changed)
            number += 1
        for item_id in changes.deleted:
            content = self._content(None, None, generation_of(stream), number, now, now)
            yield UpdateOne({"_id": self.row_id(stream, item_id)}, {"$set": content})
            number += 1
        if changes.to_stamp:
            yield UpdateMany(
                {"_id": {"$in": changes.to_stamp}},
                {"$set": {"generation": generation_of(stream)}},
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
