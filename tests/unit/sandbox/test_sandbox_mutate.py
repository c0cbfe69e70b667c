"""Changes that happen at the sandbox: always possible, never leaving something impossible."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from discovery_shapes import check
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_view import MemoryView

from pipeline.sandbox.changes import Change, Put, Remove, Rename
from pipeline.sandbox.generate import Size, build_user, size_of
from pipeline.sandbox.mutate import MIX, propose, propose_named
from pipeline.sandbox.store import Store

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
EMAIL = "ada.lovelace@users.example"
EMPTY = Size(0, 0, 0, 0, 0, 0)
ORDINARY = Size(calendars=5, events=160, messages=80, contacts=60, task_lists=3, tasks=60)


def view_of(size: Size, seed: int = 1) -> MemoryView:
    return MemoryView("ada", build_user(seed, "ada", EMAIL, size, NOW))


def assert_possible(view: MemoryView) -> None:
    """Everything that must hold of a user's data at any time."""
    assert_calendars_possible(view)
    assert_lists_possible(view)
    for message_id, message in view.stream("google_gmail", "messages").items():
        assert message["id"] == message_id
        assert len(set(message["labelIds"])) == len(message["labelIds"])
        assert not {"INBOX", "TRASH"} <= set(message["labelIds"])
    for name, person in view.stream("google_contacts", "connections").items():
        assert person["resourceName"] == name


def members(view: MemoryView, source: str, container: str) -> Iterator[dict[str, dict[str, Any]]]:
    """The items of each stream of a source that stands for an entry of `container`."""
    for stream in view.streams("ada", source):
        items = view.stream(source, stream)
        if stream != container and items:
            assert stream.partition("/")[2] in view.stream(source, container)
            assert all(item["id"] == item_id for item_id, item in items.items())
            yield items


def assert_calendars_possible(view: MemoryView) -> None:
    for events in members(view, "google_calendar", "calendars"):
        for event in events.values():
            if "recurringEventId" in event:
                assert "recurrence" in events[event["recurringEventId"]]
            else:
                assert event["status"] != "cancelled"
            if "start" in event:
                assert event["start"].keys() == event["end"].keys()
                assert moment(event["start"]) < moment(event["end"])


def moment(when: dict[str, str]) -> datetime:
    return datetime.fromisoformat(when.get("dateTime") or f"{when['date']}T00:00:00Z")


def assert_lists_possible(view: MemoryView) -> None:
    for tasks in members(view, "google_tasks", "tasklists"):
        for task in tasks.values():
            assert (task["status"] == "completed") == ("completed" in task)
            assert "hidden" not in task or task["status"] == "completed"
            if "parent" in task:
                assert "parent" not in tasks[task["parent"]]


def assert_allowed(view: MemoryView, change: Change) -> None:
    """What a change may not do to the item that is there before it."""
    before = view.item("ada", change.source, change.stream, change.item_id)
    if isinstance(change, Remove):
        assert before is not None
        assert not before.get("primary")
        return
    check(change.stream, change.item)
    if isinstance(change, Rename):
        assert before is not None
        assert change.new_item_id not in view.stream(change.source, change.stream)
        assert change.item["resourceName"] == change.new_item_id != change.item_id
    elif change.source == "google_gmail" and before is not None:
        assert change.item | {"labelIds": before["labelIds"]} == before


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2),
    rng_seed=st.integers(0, 1_000_000),
    size=st.sampled_from([EMPTY, Size(1, 3, 3, 3, 1, 3), ORDINARY]),
    changes=st.integers(1, 150),
)
def test_any_sequence_of_changes_leaves_the_data_possible(
    seed: int, rng_seed: int, size: Size, changes: int
) -> None:
    view = view_of(size, seed)
    made = 0
    for change in propose(Random(rng_seed), view, "ada", EMAIL, changes, NOW):
        assert_allowed(view, change)
        view.apply(change)
        made += 1
        if made % 25 == 0:
            assert_possible(view)
    assert made == changes
    assert_possible(view)


@pytest.mark.parametrize("rng_seed", range(3))
def test_every_kind_of_change_occurs_within_2000(rng_seed: int) -> None:
    view = view_of(ORDINARY)
    kinds: Counter[str] = Counter()
    for kind, change in propose_named(Random(rng_seed), view, "ada", EMAIL, 2000, NOW):
        assert_allowed(view, change)
        view.apply(change)
        kinds[kind] += 1
    assert set(kinds) == {mutation.__name__ for mutation in MIX}
    assert_possible(view)


def test_an_empty_user_gets_something_of_everything() -> None:
    view = MemoryView("ada")
    for change in propose(Random(4), view, "ada", EMAIL, 300, NOW):
        view.apply(change)
    assert EMAIL in view.stream("google_calendar", "calendars")
    for source, stream in (
        ("google_calendar", f"events/{EMAIL}"),
        ("google_gmail", "messages"),
        ("google_contacts", "connections"),
        ("google_tasks", "tasklists"),
    ):
        assert view.stream(source, stream)


def test_the_same_generator_proposes_the_same_changes() -> None:
    def run() -> list[Change]:
        view, made = view_of(ORDINARY), []
        for change in propose(Random(9), view, "ada", EMAIL, 200, NOW):
            view.apply(change)
            made.append(change)
        return made

    assert run() == run()


def changes_of_kind(wanted: str, view: MemoryView) -> list[Change]:
    """The changes of the first mutation of one kind; those before it are made."""
    found: list[Change] = []
    for kind, change in propose_named(Random(2), view, "ada", EMAIL, 3000, NOW):
        if found and kind != wanted:
            return found
        if kind == wanted:
            found.append(change)
        view.apply(change)
    return found


def test_a_moved_event_leaves_one_calendar_and_keeps_its_id_in_another() -> None:
    gone, come = changes_of_kind("move_event", view_of(ORDINARY))[:2]
    assert isinstance(gone, Remove)
    assert isinstance(come, Put)
    assert gone.item_id == come.item_id
    assert gone.stream != come.stream


def test_a_cancelled_occurrence_is_a_minimal_exception() -> None:
    change = changes_of_kind("cancel_occurrence", view_of(ORDINARY))[0]
    assert isinstance(change, Put)
    assert set(change.item) == {"id", "recurringEventId", "originalStartTime", "status"}
    assert change.item_id.startswith(change.item["recurringEventId"] + "_")


def test_a_reply_stays_in_its_thread_and_refers_to_what_it_answers() -> None:
    view, replies = view_of(ORDINARY), 0
    mailbox = view.stream("google_gmail", "messages")
    for kind, change in propose_named(Random(2), view, "ada", EMAIL, 500, NOW):
        if kind == "receive_reply" and isinstance(change, Put):
            headers = {one["name"]: one["value"] for one in change.item["payload"]["headers"]}
            thread = [m for m in mailbox.values() if m["threadId"] == change.item["threadId"]]
            assert any(headers["In-Reply-To"] in str(message["payload"]) for message in thread)
            assert headers["References"].endswith(headers["In-Reply-To"])
            assert headers["Subject"].startswith("Re:")
            replies += 1
        view.apply(change)
    assert replies > 10


def test_new_mail_comes_from_people_whom_the_user_knows() -> None:
    view = view_of(ORDINARY)
    people = view.stream("google_contacts", "connections").values()
    known = [mail["value"] for person in people for mail in person.get("emailAddresses", ())]
    seen: list[dict[str, Any]] = []
    for kind, change in propose_named(Random(5), view, "ada", EMAIL, 200, NOW):
        view.apply(change)
        if kind == "receive_mail" and isinstance(change, Put):
            seen.append(change.item)
    senders = [str(mail["payload"]["headers"]) for mail in seen]
    assert sum(any(address in sender for address in known) for sender in senders) > len(seen) / 2


def test_the_sandbox_accepts_every_change_of_a_population() -> None:
    store = Store(":memory:")
    try:
        for index in range(6):
            user, email = f"user{index}", f"user{index}@users.example"
            size = Size(2, 30, 20, 20, 2, 20) if index else size_of(1, 5)
            store.add_user(user, email, build_user(1, user, email, size, NOW))
            for change in propose(Random(index), store, user, email, 150, NOW):
                store.apply(user, change, NOW + timedelta(seconds=1))
    finally:
        store.close()
