"""Items to land, their landing, and the lease to write them to the graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne

from models import Record, SyncState
from models.record import record_id
from pipeline.projections.graph_snapshot import actual, expected
from pipeline.projections.lease import Lease, held
from pipeline.stores import collection

Item = dict[str, Any]

CALENDAR, EVENTS, MAILS = "google_calendar", "events/c1", "google_gmail"


def events(count: int, first: int = 0) -> dict[str, dict[str, Any]]:
    guests = [{"email": f"guest{n}@x.de"} for n in range(3)]
    return {
        f"e{n}": {"id": f"e{n}", "summary": f"Event {n}", "attendees": guests}
        for n in range(first, first + count)
    }


def mails(count: int) -> dict[str, dict[str, Any]]:
    headers = [{"name": "From", "value": "Guest <guest1@x.de>"}]
    return {
        f"m{n}": {"threadId": f"t{n // 3}", "payload": {"headers": headers}} for n in range(count)
    }


@contextmanager
def holding(user: str) -> Iterator[Lease]:
    """Hold the lease of a user's graph."""
    with held("graph", user) as lease:
        assert lease is not None
        yield lease


class Landing:
    """Lands items of one user as a sync does: numbered, published, due."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id

    def land(self, source: str, stream: str, items: dict[str, Item | None]) -> int:
        """Land items by id, None for a deleted one; return the published number."""
        published = self.published(source)
        now = datetime.now(UTC)
        writes = [
            UpdateOne(
                {"_id": record_id(self.user_id, source, stream, item_id)},
                {
                    "$set": {
                        "user_id": self.user_id,
                        "source": source,
                        "stream": stream,
                        "item_id": item_id,
                        "item": item,
                        "generation": 1,
                        "seq": seq,
                        "landed_at": now,
                        "deleted_at": None if item is not None else now,
                    }
                },
                upsert=True,
            )
            for seq, (item_id, item) in enumerate(items.items(), start=published + 1)
        ]
        if writes:
            collection(Record).bulk_write(writes, ordered=False)
        collection(SyncState).update_one(
            {"user_id": self.user_id, "source": source},
            {"$set": {"seq": published + len(items), "projections.graph.due_at": now}},
            upsert=True,
        )
        return published + len(items)

    def published(self, source: str) -> int:
        """Return the highest number that is published."""
        return int(self.state(source).get("seq", 0))

    def state(self, source: str) -> dict[str, Any]:
        """Return the stored state of a source."""
        key = {"user_id": self.user_id, "source": source}
        return collection(SyncState).find_one(key) or {}

    def watermark(self, source: str) -> dict[str, Any]:
        """Return how far the graph is, as stored, without its last writer's fence."""
        found: dict[str, Any] = self.state(source).get("projections", {}).get("graph", {})
        return {name: value for name, value in found.items() if name != "fence"}

    def differences(self) -> list[str]:
        """Return how the graph differs from what has landed."""
        rows = collection(Record).find({"user_id": self.user_id, "deleted_at": None})
        items = ((row["source"], row["stream"], row["item_id"], row["item"]) for row in rows)
        wanted = expected(self.user_id, items)
        return [str(difference) for difference in wanted.differences(actual(self.user_id))]
