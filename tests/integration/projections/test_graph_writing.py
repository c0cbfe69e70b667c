"""Writing changes leads to the graph of what has landed, in any order and however often."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clients import graph
from pipeline.projections.graph import cypher
from pipeline.projections.graph.changes import change_of
from pipeline.projections.graph.write import apply
from pipeline.projections.graph_snapshot import actual, expected

Identity = tuple[str, str, str]
Items = dict[Identity, dict[str, Any] | None]

CALENDAR, EVENTS = "google_calendar", "events/c1"
ADDRESSES = ["ada@x.de", "bob@x.de", "eve@x.de"]
PEOPLE = st.lists(st.sampled_from(ADDRESSES), max_size=3)
TITLES = st.sampled_from(["", "Standup", "Réunion"])


def _event(people: list[str], title: str, series: str | None, cancelled: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "summary": title,
        "attendees": [
            {"email": person, "responseStatus": title or "declined"} for person in people
        ],
        "start": {"dateTime": "2026-03-01T09:30:00+01:00", "timeZone": "Europe/Berlin"},
        "organizer": {"email": people[0] if people else None},
    }
    if series:
        item["recurringEventId"] = series
    return item | ({"status": "cancelled", "start": {"date": "2026-03-01"}} if cancelled else {})


def _mail(senders: list[str], to: list[str], cc: list[str], thread: str) -> dict[str, Any]:
    values = {"From": senders, "To": to, "Cc": cc}
    headers = [{"name": name, "value": ", ".join(people)} for name, people in values.items()]
    return {"threadId": thread, "labelIds": senders, "payload": {"headers": headers}}


def _contact(people: list[str], employers: list[str]) -> dict[str, Any]:
    return {
        "emailAddresses": [{"value": person, "type": "work"} for person in people],
        "organizations": [{"name": name, "title": "Boss"} for name in employers],
    }


def _task(parent: str | None, title: str) -> dict[str, Any]:
    return {"title": title} | ({"parent": parent} if parent else {})


EVENT_IDS, TASK_IDS = ["e1", "e2", "e3"], ["t1", "t2", "t3"]
SERIES = st.none() | st.sampled_from(EVENT_IDS)
ITEMS = {
    (CALENDAR, "calendars", "c1"): st.builds(lambda title: {"summary": title}, TITLES),
    **{
        (CALENDAR, EVENTS, item_id): st.builds(_event, PEOPLE, TITLES, SERIES, st.booleans())
        for item_id in EVENT_IDS
    },
    **{
        ("google_gmail", "messages", item_id): st.builds(
            _mail, PEOPLE, PEOPLE, PEOPLE, st.sampled_from(["th1", "th2"])
        )
        for item_id in ["m1", "m2"]
    },
    ("google_contacts", "connections", "people/1"): st.builds(
        _contact, PEOPLE, st.lists(st.sampled_from(["ACME", "acme ", "Früher & Söhne"]), max_size=2)
    ),
    ("google_tasks", "tasklists", "l1"): st.builds(lambda title: {"title": title}, TITLES),
    **{
        ("google_tasks", "tasks/l1", item_id): st.builds(
            _task, st.none() | st.sampled_from(TASK_IDS), TITLES
        )
        for item_id in TASK_IDS
    },
}
#: Some items are there, some deleted, some never were.
STATES = st.fixed_dictionaries({}, optional={key: st.none() | item for key, item in ITEMS.items()})


def write(user: str, items: Items, fence: int = 1) -> None:
    changes = [change_of(*identity, item) for identity, item in items.items()]
    apply(user, fence, [change for change in changes if change is not None])


def told(user: str, items: Items) -> list[str]:
    live = [(*identity, item) for identity, item in items.items() if item is not None]
    return [str(difference) for difference in expected(user, live).differences(actual(user))]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=STATES,
    after=STATES,
    order=st.randoms(use_true_random=False),
    batches=st.integers(min_value=1, max_value=4),
    repeats=st.integers(min_value=0, max_value=2),
)
def test_any_order_of_batches_and_replays_leads_to_the_same_graph(
    user: str,
    before: Items,
    after: Items,
    order: random.Random,
    batches: int,
    repeats: int,
) -> None:
    some_user = f"{user}-{uuid4().hex}"
    write(some_user, before)
    assert told(some_user, before) == []

    changed = list({**dict.fromkeys(before), **after}.items())
    order.shuffle(changed)
    parts = [dict(changed[part::batches]) for part in range(batches)]
    parts += [order.choice(parts) for _ in range(repeats)]
    for part in parts:
        write(some_user, part)

    assert told(some_user, after) == []


def test_a_property_that_is_gone_at_the_provider_is_gone_in_the_graph(user: str) -> None:
    write(user, {(CALENDAR, EVENTS, "e1"): {"summary": "x", "location": "Rome", "start": {}}})
    write(user, {(CALENDAR, EVENTS, "e1"): {"summary": "x"}})
    (row,) = graph.read("MATCH (n:Event {user_id: $u}) RETURN properties(n) AS p", u=user)
    assert row["p"] == {
        "user_id": user, "key": "c1/e1", "calendar_key": "c1", "summary": "x"
    }  # fmt: skip


def test_deleting_the_last_mail_of_a_thread_deletes_the_thread_and_its_addresses(user: str) -> None:
    mail = _mail(["ada@x.de"], ["bob@x.de"], [], "th1")
    write(user, {("google_gmail", "messages", "m1"): mail})
    write(user, {(CALENDAR, EVENTS, "e1"): _event(["ada@x.de"], "x", None, False)})

    write(user, {("google_gmail", "messages", "m1"): None})

    found = actual(user)
    assert {(node.label, node.key) for node in found.nodes} == {
        ("Event", "c1/e1"), ("EmailAddress", "ada@x.de")
    }  # fmt: skip


def test_the_graph_of_another_user_is_never_touched(user: str) -> None:
    other = f"{user}-other"
    items: Items = {
        (CALENDAR, "calendars", "c1"): {"summary": "Shared"},
        (CALENDAR, EVENTS, "e1"): _event(["ada@x.de"], "x", None, False),
    }
    write(user, items)
    write(other, items)

    write(other, dict.fromkeys(items))

    assert told(user, items) == []
    assert actual(other).nodes == {}


@pytest.mark.parametrize("calendar_first", [True, False])
def test_more_events_than_one_statement_links_are_all_linked(
    user: str, calendar_first: bool
) -> None:
    calendar: Items = {(CALENDAR, "calendars", "c1"): {"summary": "Big"}}
    events: Items = {(CALENDAR, EVENTS, f"e{n}"): {"summary": "x"} for n in range(2001)}
    for part in (calendar, events) if calendar_first else (events, calendar):
        write(user, part)
    assert told(user, calendar | events) == []

    write(user, dict.fromkeys(calendar))
    assert told(user, events) == []


def test_a_mail_to_thousands_is_written_in_parts(user: str) -> None:
    crowd = [f"person{n}@example{n % 7}.org" for n in range(cypher.CHUNK_ROWS + 1)]
    item = {("google_gmail", "messages", "m1"): _mail(["ada@x.de"], crowd, [], "th1")}
    write(user, item)
    assert told(user, item) == []


@pytest.mark.parametrize(
    "value",
    ["a\x00b", "😀" * 300, "\u200f", "x" * 5000, "`'\"\\$", "-" * 3],
)
def test_any_text_comes_back_as_it_was_sent(user: str, value: str) -> None:
    items = {(CALENDAR, EVENTS, "e1"): {"summary": value, "location": value}}
    write(user, items)
    assert told(user, items) == []


@pytest.mark.parametrize(
    "when",
    ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z",
     "2026-03-29T02:30:00+02:00"],
)  # fmt: skip
def test_any_time_comes_back_as_it_was_sent(user: str, when: str) -> None:
    items = {(CALENDAR, EVENTS, "e1"): {"start": {"dateTime": when}, "end": {"date": when[:10]}}}
    write(user, items)
    assert told(user, items) == []


def test_times_can_be_compared_in_a_query(user: str) -> None:
    starts = ["2026-03-01T09:30:00+01:00", "2026-03-01T09:30:00Z"]
    for number, start in enumerate(starts):
        write(user, {(CALENDAR, EVENTS, f"e{number}"): {"start": {"dateTime": start}}})
    rows = graph.read(
        "MATCH (n:Event {user_id: $u}) WHERE n.start_at < datetime($until) RETURN n.key AS key",
        u=user,
        until="2026-03-01T09:00:00Z",
    )
    assert rows == [{"key": "c1/e0"}]
