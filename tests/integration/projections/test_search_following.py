"""What has landed can be found, and nothing else: following, rebuilding, forgetting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graph_items import CALENDAR, EVENTS
from search_people import Person, carry_through, finish_first, settle

from models import Record, SearchRebuild, SyncState, User
from pipeline.errors import LeaseLost, Transient, Unfinished
from pipeline.projections import search
from pipeline.projections.lease import held
from pipeline.projections.search.advance import owners
from pipeline.projections.search.documents import change_of
from pipeline.projections.search.store import SearchStore
from pipeline.projections.search.stores import current_index
from pipeline.refusals import Refused
from pipeline.stores import collection
from pipeline.users.registering import register

Setting = Callable[..., None]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_what_lands_is_found_and_what_is_deleted_is_not(ada: Person) -> None:
    ada.land("standup", "review")
    assert search.lag(ada.user_id) == {CALENDAR: 2}
    assert [one.user_id for one in search.lagging(datetime.now(UTC), 10)] == [ada.user_id]
    assert ada.advance() == 2
    assert (ada.found("standup"), ada.found("review")) == (["standup"], ["review"])
    assert (search.lag(ada.user_id), search.lagging(datetime.now(UTC), 10)) == ({CALENDAR: 0}, [])
    ada.delete("standup")
    ada.advance()
    assert (ada.found("standup"), ada.found("review")) == ([], ["review"])
    assert ada.advance() == 0


def test_a_hit_tells_where_it_is_and_marks_the_words(ada: Person) -> None:
    ada.land("budget review")
    ada.advance()
    settle()
    found = search.find("acme", "BUDGET")
    [hit] = found.hits
    assert found.total == 1
    assert (hit.user_id, hit.source, hit.stream, hit.kind) == (
        ada.user_id, CALENDAR, EVENTS, "event",
    )  # fmt: skip
    assert hit.title == [search.Segment("budget", True), search.Segment(" review", False)]


def test_another_tenant_and_another_user_find_nothing(ada: Person) -> None:
    bob, eve = Person("globex"), Person("acme")
    for person in (ada, bob, eve):
        person.land("standup")
        person.advance()
    settle()
    for person in (ada, bob):
        hits = search.find(person.tenant_id, "standup", user_id=person.user_id).hits
        assert [hit.user_id for hit in hits] == [person.user_id]
    assert search.find("globex", "standup", user_id=ada.user_id).total == 0
    assert {hit.user_id for hit in search.find("acme", "standup").hits} == {
        ada.user_id, eve.user_id,
    }  # fmt: skip


def test_who_moves_to_another_tenant_is_found_there_and_only_there(ada: Person) -> None:
    ada.land("standup")
    ada.advance()
    collection(User).update_one({"_id": ada.user_id}, {"$set": {"tenant_id": "globex"}})
    assert ada.found("standup") == []  # at once, though its document does not know yet
    register(ada.user_id, "globex")
    assert (ada.advance(), ada.found("standup")) == (1, [])
    ada.tenant_id = "globex"
    assert ada.found("standup") == ["standup"]


def test_of_who_was_forgotten_nothing_is_written_nor_found(ada: Person) -> None:
    ada.land("standup")
    ada.advance()
    assert search.wipe(ada.user_id) == 1
    assert search.count(ada.user_id) == 0
    ada.land("late")
    collection(User).delete_one({"_id": ada.user_id})
    with pytest.raises(LeaseLost, match="no such user"):
        ada.advance()
    assert search.count(ada.user_id) == 0


def test_who_comes_back_after_being_forgotten_is_found(ada: Person) -> None:
    ada.land("standup", "review")
    ada.advance()
    ada.delete("standup")
    ada.advance()
    search.wipe(ada.user_id)
    collection(SyncState).delete_many({"user_id": ada.user_id})
    later = datetime.now(UTC) + timedelta(seconds=2)
    collection(User).update_one({"_id": ada.user_id}, {"$set": {"created_at": later}})
    ada.land("review", "standup")
    ada.advance()
    assert (ada.found("standup"), ada.found("review")) == (["standup"], ["review"])


def test_a_user_is_written_again(ada: Person, clean: SearchStore) -> None:
    ada.land("standup", "gone")
    ada.delete("gone")
    ada.advance()
    [row] = collection(Record).find({"user_id": ada.user_id, "deleted_at": None})
    change = change_of(row, owners({ada.user_id})[ada.user_id])
    assert change is not None
    assert change.document is not None
    wrong = replace(change.document, title="wrong")
    clean.write([change._replace(document=wrong)], current_index())
    assert (ada.found("wrong"), ada.found("standup")) == (["standup"], [])
    search.rebuild_user(ada.user_id)
    assert (ada.advance(), ada.found("wrong"), ada.found("standup")) == (2, [], ["standup"])


def test_only_one_writes_and_the_other_leaves_it_to_that_one(ada: Person) -> None:
    ada.land("standup")
    with held("search", ada.user_id) as lease:
        assert lease is not None
        assert ada.advance() == 0
    assert ada.advance() == 1


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("q", {"text": ""}),
        ("source", {"sources": ["nowhere"]}),
        ("kind", {"kinds": ["nothing"]}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": 101}),
        ("offset", {"offset": -1}),
        ("offset", {"offset": 10_000}),
        ("until", {"since": NOON, "until": NOON}),
    ],
)
def test_what_cannot_be_looked_for_is_refused(
    stores: None, field: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        search.find("acme", **{"text": "a", **asked})
    assert refused.value.field == field


def test_a_new_store_is_filled_with_what_had_landed_before(ada: Person, hasty: None) -> None:
    ada.land("standup", "review", "gone")
    ada.delete("gone")
    collection(SyncState).update_many({}, {"$unset": {"projections.search": ""}})
    current_index()
    assert search.lag(ada.user_id) == {CALENDAR: 0}  # the rebuild will have written it
    begun = search.under_way()
    assert begun is not None
    carry_through(begun["_id"])
    assert (ada.found("standup"), ada.found("gone")) == (["standup"], [])
    status = search.status()
    assert status.index == current_index()
    assert status.rebuild is not None
    assert (status.rebuild.status, status.behind) == ("done", 0)


def test_a_rebuild_leaves_no_gap_and_takes_the_place_in_one_step(
    ada: Person, clean: SearchStore, hasty: None
) -> None:
    names = [f"n{number}" for number in range(10)]
    ada.land("standup", *names)
    ada.advance()
    former = finish_first(clean)
    rebuild_id = search.begin_rebuild(by="eve")
    with pytest.raises(Refused, match="being filled already"):
        search.begin_rebuild(by="eve")
    with pytest.raises(Unfinished):
        search.carry_on(rebuild_id)
    # What changes while it is filled is written to both.
    ada.land("landed meanwhile")
    ada.delete("n3")
    ada.advance()
    assert clean.current() == former
    assert ada.found("standup") == ["standup"]
    assert ada.found("meanwhile") == ["landed meanwhile"]
    carry_through(rebuild_id)
    assert clean.current() != former
    assert clean.indexes() == [clean.current()]
    assert ada.found("standup") == ["standup"]
    assert ada.found("meanwhile") == ["landed meanwhile"]
    assert ada.found("n3") == []
    assert all(ada.found(name) for name in names if name != "n3")
    progress = search.rebuild()
    assert progress is not None
    assert (progress.status, progress.by) == ("done", "eve")
    assert progress.records in (11, 12)  # what landed meanwhile may be behind where it was
    assert search.begin_rebuild(by="eve")


def test_a_rebuild_waits_for_writers_before_it_drops_the_former_index(
    ada: Person, clean: SearchStore
) -> None:
    ada.land("standup")
    ada.advance()
    finish_first_slowly()
    rebuild_id = search.begin_rebuild(by="eve")
    with pytest.raises(Unfinished) as unfinished:
        search.carry_on(rebuild_id)
    assert 1.5 < unfinished.value.delay_seconds <= 2
    assert len(clean.indexes()) == 2
    assert ada.found("standup") == ["standup"]


def finish_first_slowly() -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    for row in collection(SearchRebuild).find():
        with pytest.raises(Unfinished):
            search.carry_on(row["_id"])
        collection(SearchRebuild).update_one({"_id": row["_id"]}, {"$set": {"switched_at": past}})
        search.carry_on(row["_id"])


def test_a_rebuild_whose_index_somebody_deleted_is_given_up(
    ada: Person, clean: SearchStore, hasty: None
) -> None:
    ada.land("standup")
    ada.advance()
    former = finish_first(clean)
    rebuild_id = search.begin_rebuild(by="eve")
    clean.drop(next(name for name in clean.indexes() if name != former))
    assert search.carry_on(rebuild_id)["status"] == "done"
    assert clean.current() == former
    assert ada.found("standup") == ["standup"]


def test_an_index_that_somebody_deleted_is_made_again(
    ada: Person, clean: SearchStore, hasty: None
) -> None:
    ada.land("standup")
    ada.advance()
    clean.drop(finish_first(clean))
    assert (ada.found("standup"), clean.current()) == ([], None)
    ada.land("review")
    ada.advance()
    finish_first(clean)
    assert (ada.found("standup"), ada.found("review")) == (["standup"], ["review"])


def test_a_store_that_does_not_answer_is_told_without_its_address(
    stores: None, setting: Setting
) -> None:
    setting(SEARCH_URL="http://ada:secret@127.0.0.1:9", SEARCH_TIMEOUT_SECONDS=2)
    for ask in (search.ping, search.status, lambda: search.find("acme", "standup")):
        with pytest.raises(Transient) as error:
            ask()
        assert "SEARCH_URL" in str(error.value)
        assert not {"secret", "ada", "127"} & set(str(error.value).replace(".", " ").split())
