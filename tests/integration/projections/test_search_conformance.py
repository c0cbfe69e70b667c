"""What every search store does: the same suite against MongoDB's own search and OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import pytest

from pipeline.projections.search.documents import Change, SearchDocument
from pipeline.projections.search.query import Query, parse
from pipeline.projections.search.store import Match, SearchStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Shelf:
    """A new index of a store, and documents of one tenant in it."""

    def __init__(self, store: SearchStore) -> None:
        self.store = store
        self.index = store.create()
        store.switch(self.index)

    def put(self, name: str, version: int = 1, **fields: Any) -> str:
        """Write a document that is called `name`."""
        document = made(name, **fields)
        change = Change(document.id, document.user_id, version, document)
        self.store.write([change], self.index)
        return document.id

    def take(self, name: str, version: int, user_id: str = "ada") -> None:
        """Have the store know that the document `name` was deleted."""
        self.store.write([Change(made(name).id, user_id, version, None)], self.index)

    def found(self, text: str, **more: Any) -> list[str]:
        """Return the item ids of what is found, the best first."""
        return [match.item_id for match in self.matches(text, **more)]

    def matches(self, text: str, tenant_id: str = "acme", **more: Any) -> list[Match]:
        self.settle()
        return self.store.find(Query(tenant_id, parse(text), **more)).found

    def settle(self) -> None:
        """Have what was written be found: a dump waits for that."""
        list(self.store.dump("nobody"))


def made(name: str, **fields: Any) -> SearchDocument:
    plain: dict[str, Any] = {
        "id": blake2b(name.encode(), digest_size=16).hexdigest(),
        "tenant_id": "acme",
        "user_id": "ada",
        "source": "google_calendar",
        "kind": "event",
        "stream": "events/c1",
        "item_id": name,
        "thread": "",
        "title": "",
        "body": "",
        "people": (),
        "at": None,
    }
    return SearchDocument(**plain | fields)


@pytest.fixture
def shelf(search_store: SearchStore) -> Iterator[Shelf]:
    made = Shelf(search_store)
    yield made
    for index in search_store.indexes():
        search_store.drop(index)


def test_nothing_is_found_before_there_is_an_index(search_store: SearchStore) -> None:
    assert search_store.current() is None
    assert search_store.find(Query("acme", parse("standup"))) == (0, [])
    assert list(search_store.dump("ada")) == []
    assert search_store.count() == search_store.count("ada") == 0
    search_store.ping()


def test_a_document_comes_back_as_it_was(shelf: Shelf) -> None:
    given = {
        "title": "Fête — plans",
        "body": 'Bring <b>cake</b>\n| and "tea"',
        "people": ("Zoë Ångström", "zoe@x.de"),
        "at": NOON,
        "source": "google_gmail",
        "kind": "mail",
        "stream": "messages",
        "thread": "t1",
    }
    name = shelf.put("a", **given)
    match = shelf.matches("fete")[0]
    assert match.score > 0
    assert match._asdict() == given | {
        "id": name, "user_id": "ada", "item_id": "a", "score": match.score,
    }  # fmt: skip


def test_all_words_must_be_there_wherever_they_are(shelf: Shelf) -> None:
    shelf.put("title", title="Budget review")
    shelf.put("body", body="the review of a budget")
    shelf.put("people", title="Review", people=("Budget Office", "money@x.de"))
    shelf.put("one", title="Budget")
    assert sorted(shelf.found("budget review")) == ["body", "people", "title"]
    assert shelf.found("MONEY@x.de") == ["people"]
    assert shelf.found("bud") == []


def test_case_and_marks_do_not_count(shelf: Shelf) -> None:
    shelf.put("a", title="Crème BRÛLÉE", body="Straße")
    for text in ("creme brulee", "CRÈME", "strasse", "Straße"):
        assert shelf.found(text) == ["a"], text


def test_a_phrase_stands_in_a_row_and_within_one_text(shelf: Shelf) -> None:
    shelf.put("row", body="see the budget review today")
    shelf.put("apart", body="budget for a review")
    shelf.put("across", title="Budget", body="review")
    assert shelf.found('"budget review"') == ["row"]
    assert shelf.found("budget-review") == ["row"]
    assert sorted(shelf.found('review -"budget review"')) == ["across", "apart"]


def test_what_is_excluded_is_not_found(shelf: Shelf) -> None:
    shelf.put("with", title="Budget", body="draft")
    shelf.put("without", title="Budget")
    assert shelf.found("budget -draft") == ["without"]


def test_words_of_scripts_without_spaces_are_found(shelf: Shelf) -> None:
    shelf.put("tokyo", title="東京の会議")
    shelf.put("kyoto", title="京都の会議")
    assert shelf.found("東京") == ["tokyo"]
    assert sorted(shelf.found("会議")) == ["kyoto", "tokyo"]


def test_a_title_is_better_than_a_text(shelf: Shelf) -> None:
    shelf.put("body", title="Something else", body="budget " + "word " * 30)
    shelf.put("title", title="Budget", body="word " * 30)
    assert shelf.found("budget") == ["title", "body"]


def test_no_tenant_finds_what_another_has(shelf: Shelf) -> None:
    shelf.put("mine", title="Budget")
    shelf.put("theirs", title="Budget", tenant_id="globex", user_id="bob")
    assert shelf.found("budget") == ["mine"]
    assert shelf.found("budget", tenant_id="globex") == ["theirs"]
    assert shelf.found("budget", tenant_id="acm") == []
    assert shelf.found("budget", user_id="bob") == []


def test_a_search_is_narrowed_by_user_source_kind_and_time(shelf: Shelf) -> None:
    shelf.put("a", title="Budget", at=NOON)
    shelf.put("b", title="Budget", at=NOON + timedelta(days=1), user_id="bob")
    shelf.put("c", title="Budget", source="google_tasks", kind="task")
    assert shelf.found("budget", user_id="bob") == ["b"]
    assert shelf.found("budget", sources=("google_tasks",)) == ["c"]
    assert sorted(shelf.found("budget", kinds=("event",))) == ["a", "b"]
    assert shelf.found("budget", since=NOON, until=NOON + timedelta(days=1)) == ["a"]
    assert shelf.found("budget", since=NOON + timedelta(seconds=1)) == ["b"]


def test_pages_together_have_everything_once(shelf: Shelf) -> None:
    for number in range(7):
        shelf.put(f"n{number}", title="Budget")
    shelf.settle()
    pages = [
        shelf.store.find(Query("acme", parse("budget"), limit=3, offset=offset))
        for offset in (0, 3, 6, 9)
    ]
    assert [len(page.found) for page in pages] == [3, 3, 1, 0]
    assert {page.total for page in pages} == {7}
    assert len({match.id for page in pages for match in page.found}) == 7


def test_the_highest_version_stays_in_whatever_order_they_come(shelf: Shelf) -> None:
    shelf.put("a", version=5, title="newer")
    shelf.put("a", version=4, title="older")
    assert (shelf.found("newer"), shelf.found("older")) == (["a"], [])
    shelf.put("a", version=5, title="again")
    assert (shelf.found("newer"), shelf.found("again")) == ([], ["a"])


def test_what_was_deleted_does_not_come_back(shelf: Shelf) -> None:
    shelf.put("a", version=4, title="standup")
    shelf.take("a", 5)
    shelf.put("a", version=4, title="standup")
    assert shelf.found("standup") == []
    shelf.take("b", 5)  # deleted before it was ever written
    shelf.put("b", version=4, title="standup")
    assert shelf.found("standup") == []
    shelf.put("a", version=6, title="standup")
    shelf.take("a", 5)
    assert shelf.found("standup") == ["a"]


def test_one_write_holds_many_changes(shelf: Shelf) -> None:
    shelf.put("old", version=9, title="standup")
    documents = [made(name, title="standup") for name in ("old", "new", "gone")]
    changes = [Change(one.id, one.user_id, 2, one) for one in documents]
    changes.append(Change(documents[2].id, "ada", 3, None))
    shelf.store.write(changes, shelf.index)
    shelf.store.write([], shelf.index)
    assert sorted(shelf.found("standup")) == ["new", "old"]


def test_a_wipe_takes_all_of_one_user(shelf: Shelf) -> None:
    shelf.put("a", title="standup")
    shelf.put("b", title="standup", user_id="bob")
    shelf.take("c", 3)
    shelf.settle()
    assert shelf.store.wipe("ada", shelf.index) == 1
    assert shelf.store.wipe("ada", shelf.index) == 0
    assert shelf.found("standup") == ["b"]
    assert (shelf.store.count("ada"), shelf.store.count("bob")) == (0, 1)


def test_a_dump_has_the_hash_of_what_was_just_written(shelf: Shelf) -> None:
    name = shelf.put("a", title="standup")
    shelf.put("b", title="standup", user_id="bob")
    assert dict(shelf.store.dump("ada")) == {name: made("a", title="standup").content_hash}
    assert shelf.store.count("ada") == 1


def test_another_index_takes_the_place_of_the_first_in_one_step(shelf: Shelf) -> None:
    shelf.put("old", title="standup")
    new = shelf.store.create()
    document = made("new", title="standup")
    shelf.store.write([Change(document.id, "ada", 1, document)], new)
    assert shelf.found("standup") == ["old"]
    shelf.store.switch(new)
    shelf.store.switch(new)
    assert shelf.store.current() == new
    assert shelf.found("standup") == ["new"]
    assert shelf.store.indexes() == [shelf.index, new]
    shelf.store.drop(shelf.index)
    shelf.store.drop(shelf.index)
    assert shelf.store.indexes() == [new]
    assert shelf.found("standup") == ["new"]


def test_very_long_texts_and_strange_ones_are_taken(shelf: Shelf) -> None:
    strange = "x" * 30_000 + " \u0000\ud83d\ude00 ½ ﬁn \u202e $where {$gt: 1} end"
    shelf.put("a", title=strange[:500], body=strange.encode("utf-8", "replace").decode())
    shelf.put("b" * 1024, title="standup", people=("p" * 5000,))
    assert shelf.found("end") == ["a"]
    assert shelf.found("fin") == ["a"]
    assert shelf.found("standup") == ["b" * 1024]


def test_a_rare_word_is_found_beside_one_that_is_everywhere(shelf: Shelf) -> None:
    documents = [made(f"n{n}", title="everywhere", body="rare" * (n == 7)) for n in range(1100)]
    changes = [Change(one.id, one.user_id, 1, one) for one in documents]
    shelf.store.write(changes, shelf.index)
    assert shelf.found("everywhere rare") == shelf.found("rare everywhere") == ["n7"]
    assert shelf.found("everywhere nowhere") == []
    assert len(shelf.found('"everywhere" -rare')) == 20
    assert shelf.store.find(Query("acme", parse("everywhere"))).total == 1100
