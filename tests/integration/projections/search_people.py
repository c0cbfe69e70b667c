"""People whose events land and are found."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from graph_items import CALENDAR, EVENTS, Landing

from models import SyncState, User
from pipeline.errors import Unfinished
from pipeline.projections import search
from pipeline.projections.search.store import SearchStore
from pipeline.projections.search.stores import current_index
from pipeline.stores import collection


class Person:
    """A user with a tenant, what landed of them, and what is found."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.user_id = f"user-{uuid4().hex}"
        self._landing = Landing(self.user_id)
        collection(User).insert_one(
            {
                "_id": self.user_id,
                "tenant_id": tenant_id,
                "created_at": datetime.now(UTC),
                "status": "active",
            }
        )

    def land(self, *titles: str) -> None:
        """Land an event of each title, whose id is the same."""
        self._land({title: {"id": title, "summary": title} for title in titles})

    def delete(self, *titles: str) -> None:
        """Have events be deleted."""
        self._land(dict.fromkeys(titles))

    def _land(self, items: dict[str, Any]) -> None:
        self._landing.land(CALENDAR, EVENTS, items)
        collection(SyncState).update_one(
            {"user_id": self.user_id, "source": CALENDAR},
            {
                "$set": {
                    "projections.search.due_at": datetime.now(UTC),
                    "tenant_id": self.tenant_id,
                }
            },
        )

    def advance(self) -> int:
        """Bring search up to date; return how many records were written."""
        return search.advance(self.user_id).records

    def wait(self, seconds: float = 0.2) -> None:
        """Let time pass, as leases of killed processes need."""
        time.sleep(seconds)

    def found(self, text: str, **more: Any) -> list[str]:
        """Return the ids of what is found, in the order of the ids."""
        settle()
        return sorted(hit.item_id for hit in search.find(self.tenant_id, text, **more).hits)


def settle() -> None:
    list(search.store().dump("nobody"))


def carry_through(rebuild_id: str) -> int:
    """Have a rebuild be done; return how many parts it took."""
    for parts in range(100):
        try:
            search.carry_on(rebuild_id)
        except Unfinished as error:
            time.sleep(min(error.delay_seconds, 0.2))
        else:
            return parts
    raise AssertionError("never done")


def finish_first(store: SearchStore) -> str:
    """Have the first index be filled; return its name."""
    name = current_index()
    if (begun := search.under_way()) is not None:
        carry_through(begun["_id"])
    assert store.current() == name
    return name
