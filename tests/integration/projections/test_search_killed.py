"""Whoever is killed while search is written leaves nothing that is not mended."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from dying_job import killed
from search_people import Person, carry_through, finish_first

from models import Record
from pipeline.errors import Transient, Unfinished
from pipeline.projections import search
from pipeline.projections.search import rebuilding, stores
from pipeline.projections.search.advance import owners, write
from pipeline.projections.search.documents import Change, change_of
from pipeline.projections.search.store import SearchStore
from pipeline.stores import collection

PACKAGE = "pipeline.projections.search"
ADVANCE, CARRY_ON = f"{PACKAGE}.advance:follower.advance", f"{PACKAGE}.rebuilding:carry_on"
CLASSES = {"mongodb": "mongodb:MongoDBSearch", "opensearch": "opensearch:OpenSearchStore"}


def of_store(store: SearchStore, method: str) -> str:
    return f"{PACKAGE}.{CLASSES[store.name]}.{method}"


def advance(person: Person) -> None:
    """Advance once the lease of the killed one is over."""
    for _ in range(100):
        if not search.lag(person.user_id)["google_calendar"]:
            return
        person.advance()
        person.wait()


@pytest.mark.long
@pytest.mark.parametrize("point", ["create", "switch", "write"])
def test_a_killed_first_writer_leaves_the_index_to_the_next(
    ada: Person, clean: SearchStore, point: str
) -> None:
    ada.land("standup")
    killed(of_store(clean, point), "after", ADVANCE, ada.user_id)
    for _ in range(100):
        try:
            advance(ada)
            break
        except Transient:  # the killed one still holds the right to make it
            ada.wait()
    assert ada.found("standup") == ["standup"]
    finish_first(clean)
    assert clean.indexes() == [clean.current()]
    assert ada.found("standup") == ["standup"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("point", "when"),
    [("write", "after"), ("switch", "before"), ("switch", "after"), ("drop", "after")],
)
def test_a_killed_rebuild_goes_on_where_it_stopped(
    ada: Person, clean: SearchStore, monkeypatch: pytest.MonkeyPatch, point: str, when: str
) -> None:
    ada.land("standup", "gone")
    ada.advance()
    former = finish_first(clean)
    rebuild_id = search.begin_rebuild(by="eve")
    monkeypatch.setattr(rebuilding, "_grace", lambda: timedelta(0))
    if point == "drop":
        with pytest.raises(Unfinished):
            search.carry_on(rebuild_id)
        ada.wait(2)  # as long as a process waits that has not been told otherwise
    killed(of_store(clean, point), when, CARRY_ON, rebuild_id)
    ada.delete("gone")
    advance(ada)
    carry_through(rebuild_id)
    assert clean.current() != former
    assert clean.indexes() == [clean.current()]
    assert (ada.found("standup"), ada.found("gone")) == (["standup"], [])


class Course:
    """What happens to a user by chance, and what should be found of it."""

    names = tuple(f"w{number}" for number in range(8))

    def __init__(self, person: Person, seed: int) -> None:
        self.person = person
        self.live: set[str] = set()
        self._chance = random.Random(seed)
        self._read: list[Change] = []

    def step(self) -> None:
        """Have one thing happen."""
        steps = [self._land, self._delete, self._advance, self._write_late, self._rebuild]
        self._chance.choices(steps, weights=[3, 2, 2, 2, 3])[0]()

    def found(self) -> set[str]:
        """Return what is found of all that there ever was."""
        return {name for name in self.names if self.person.found(name)}

    def _some(self) -> list[str]:
        return self._chance.sample(self.names, self._chance.randint(1, 3))

    def _land(self) -> None:
        some = self._some()
        self.person.land(*some)
        self.live |= set(some)

    def _delete(self) -> None:
        some = self._some()
        self.person.delete(*some)
        self.live -= set(some)

    def _advance(self) -> None:
        owner = owners({self.person.user_id})[self.person.user_id]
        rows = collection(Record).find({"user_id": self.person.user_id})
        self._read += [change for row in rows if (change := change_of(row, owner))]
        self.person.advance()

    def _write_late(self) -> None:
        """Write what was read before, as a writer does that stood still."""
        write(self._chance.sample(self._read, min(5, len(self._read))))

    def _rebuild(self) -> None:
        if (row := stores.under_way()) is None:
            search.begin_rebuild(by="chance")
            return
        with suppress(Unfinished):
            search.carry_on(row["_id"])


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_in_whatever_order_no_index_is_stale(
    ada: Person, clean: SearchStore, hasty: None, seed: int
) -> None:
    course = Course(ada, seed)
    for _ in range(40):
        course.step()
    ada.advance()
    assert course.found() == course.live
    if (row := stores.under_way()) is not None:
        carry_through(row["_id"])
    assert course.found() == course.live
