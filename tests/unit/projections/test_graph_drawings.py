"""What the items of each source look like in the graph."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.projections.graph.changes import change_of, fields_of
from pipeline.projections.graph.model import MOMENTS, RELATIONS, Drawing, Edge, NodeId
from pipeline.projections.graph.write import links_of


def draw(source: str, stream: str, item_id: str, **item: Any) -> Drawing:
    change = change_of(source, stream, item_id, {"id": item_id, **item})
    assert change is not None
    assert change.drawing is not None
    return change.drawing


def event(**item: Any) -> Drawing:
    return draw("google_calendar", "events/team@x.de", "ev1", **item)


def mail(*headers: tuple[str, str], **item: Any) -> Drawing:
    listed = [{"name": name, "value": value} for name, value in headers]
    return draw("google_gmail", "messages", "m1", payload={"headers": listed}, **item)


def contact(**item: Any) -> Drawing:
    return draw("google_contacts", "connections", "people/c1", **item)


def test_an_event_id_is_unique_only_inside_its_calendar() -> None:
    assert event().node == NodeId("Event", "team@x.de/ev1")
    assert event().properties["calendar_key"] == "team@x.de"


def test_a_timed_event_has_utc_times_and_its_zone_apart() -> None:
    start = {"dateTime": "2026-03-01T09:30:00+01:00", "timeZone": "Europe/Berlin"}
    end = {"dateTime": "2026-03-01T10:00:00+01:00", "timeZone": "Europe/Berlin"}

    properties = event(start=start, end=end).properties

    assert properties["start_at"] == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert properties["start_zone"] == "Europe/Berlin"
    assert properties["start_ms"] == 1772353800000
    assert properties["end_ms"] == 1772355600000
    assert properties["all_day"] is False
    assert "start_date" not in properties


def test_an_all_day_event_has_dates_without_a_zone() -> None:
    drawn = event(start={"date": "2026-03-01"}, end={"date": "2026-03-03"})

    assert drawn.properties["start_date"] == date(2026, 3, 1)
    assert drawn.properties["end_date"] == date(2026, 3, 3)
    assert drawn.properties["start_ms"] == 1772323200000
    assert drawn.properties["all_day"] is True
    assert "start_at" not in drawn.properties


def test_a_cancelled_instance_is_an_event_of_its_series() -> None:
    drawn = event(
        status="cancelled",
        recurringEventId="ev0",
        originalStartTime={"dateTime": "2026-03-01T09:30:00Z"},
    )

    assert drawn.properties["status"] == "cancelled"
    assert drawn.properties["original_start_at"] == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert dict(links_of(drawn)) == {"IN_CALENDAR": "team@x.de", "INSTANCE_OF": "team@x.de/ev0"}


def test_an_event_is_no_instance_of_itself() -> None:
    assert "series_key" not in event(recurringEventId="ev1").properties


def test_attendees_become_one_edge_per_address() -> None:
    drawn = event(
        attendees=[
            {"email": "Ada@x.de", "responseStatus": "accepted", "organizer": True},
            {"email": "ada@X.de", "responseStatus": "declined"},
            {"email": "bob@x.de", "optional": True, "displayName": " Bob \t B. "},
            {"displayName": "Nobody"},
            "odd",
        ],
        organizer={"email": "ADA@x.de"},
    )

    assert drawn.edges == [
        Edge("ATTENDED_BY", "ada@x.de", {"response": "accepted", "organizer": True}),
        Edge("ATTENDED_BY", "bob@x.de", {"optional": True, "name": "Bob B."}),
        Edge("ORGANIZED_BY", "ada@x.de", {}),
    ]


def test_long_texts_are_cut_and_empty_ones_left_out() -> None:
    properties = event(description="x" * 5000, location="").properties
    assert len(str(properties["description"])) == 1000
    assert "location" not in properties


def test_a_calendar_goes_by_the_name_that_the_user_gave_it() -> None:
    drawn = draw(
        "google_calendar", "calendars", "c1", summary="Team", summaryOverride="Work", primary=True
    )
    assert drawn.node == NodeId("Calendar", "c1")
    assert drawn.properties == {"summary": "Work", "primary": True}


def test_a_mail_has_one_edge_per_address_and_kind() -> None:
    drawn = mail(
        ("FROM", "Ada <ada@x.de>"),
        ("To", "bob@x.de, Ada <ADA@x.de>"),
        ("To", "bob@x.de"),
        ("Cc", '"Bob, B." <bob@x.de>'),
        threadId="t1",
    )

    assert drawn.edges == [
        Edge("SENT_BY", "ada@x.de", {"name": "Ada"}),
        Edge("SENT_TO", "bob@x.de", {"kind": "to"}),
        Edge("SENT_TO", "ada@x.de", {"kind": "to", "name": "Ada"}),
        Edge("SENT_TO", "bob@x.de", {"kind": "cc", "name": "Bob, B."}),
        Edge("IN_THREAD", "t1", {}),
    ]


def test_a_mail_knows_when_it_was_sent_and_when_it_came() -> None:
    properties = mail(
        ("Date", "Sun, 01 Mar 2026 10:30:00 +0100"),
        ("Subject", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?="),
        internalDate="1772357405123",
        labelIds=["INBOX", "UNREAD"],
        sizeEstimate=2048,
    ).properties

    assert properties["sent_at"] == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert properties["received_at"] == datetime(2026, 3, 1, 9, 30, 5, 123000, tzinfo=UTC)
    assert properties["received_ms"] == 1772357405123
    assert properties["subject"] == "Grüße"
    assert properties["labels"] == ["INBOX", "UNREAD"]
    assert properties["size_bytes"] == 2048


@pytest.mark.parametrize("written", ["yesterday", "", "Sun, 99 Mar 2026 10:30:00 +0100", "1 Jan 0"])
def test_a_date_header_that_is_none_is_left_out(written: str) -> None:
    assert "sent_at" not in mail(("Date", written)).properties


def test_a_date_of_an_unknown_place_is_utc() -> None:
    drawn = mail(("Date", "Sun, 01 Mar 2026 10:30:00 -0000"))
    assert drawn.properties["sent_at"] == datetime(2026, 3, 1, 10, 30, tzinfo=UTC)


def test_a_contact_takes_the_primary_name_and_all_addresses() -> None:
    drawn = contact(
        names=[
            {"displayName": "Profile"},
            {"displayName": "Ada Lovelace", "metadata": {"primary": True}},
        ],
        emailAddresses=[
            {"value": "home@x.de", "type": "home"},
            {"value": "Work@x.de", "type": "work", "metadata": {"primary": True}},
            {"value": "work@X.de", "type": "Büro"},
        ],
        phoneNumbers=[{"value": "030 1"}, {"value": "030 2", "canonicalForm": "+49302"}],
        metadata={"sources": [{"updateTime": "2026-03-01T00:00:00.123456789Z"}, {}]},
    )

    assert drawn.properties["name"] == "Ada Lovelace"
    assert drawn.properties["phones"] == ["030 1", "+49302"]
    assert drawn.properties["updated_at"] == datetime(2026, 3, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert drawn.edges == [
        Edge("HAS_ADDRESS", "work@x.de", {"kind": "work", "primary": True}),
        Edge("HAS_ADDRESS", "home@x.de", {"kind": "home"}),
    ]


def test_spellings_of_an_organization_are_one() -> None:
    drawn = contact(
        organizations=[
            {"name": " Früher & SÖHNE ", "title": "Clerk", "department": "Post"},
            {"name": "früher & söhne"},
            {"title": "Freelancer"},
        ]
    )
    properties = {"name": "Früher & SÖHNE", "title": "Clerk", "department": "Post"}
    assert drawn.edges == [Edge("WORKS_AT", "früher & söhne", properties)]


@pytest.mark.parametrize(
    ("day", "written"),
    [
        ({"year": 1990, "month": 5, "day": 17}, "1990-05-17"),
        ({"month": 5, "day": 17}, "--05-17"),
        ({"month": 13, "day": 17}, None),
        ({}, None),
    ],
)
def test_a_birthday_may_lack_its_year(day: dict[str, int], written: str | None) -> None:
    assert contact(birthdays=[{"date": day}]).properties.get("birthday") == written


def test_a_task_has_its_list_its_parent_and_a_date() -> None:
    drawn = draw("google_tasks", "tasks/l1", "t2", parent="t1", due="2026-03-01T00:00:00.000Z")

    assert drawn.node == NodeId("Task", "l1/t2")
    assert drawn.properties["due_date"] == date(2026, 3, 1)
    assert dict(links_of(drawn)) == {"IN_LIST": "l1", "SUBTASK_OF": "l1/t1"}


def test_what_the_graph_does_not_show_is_passed_over() -> None:
    assert change_of("unheard_of", "messages", "m1", {}) is None
    assert change_of("google_calendar", "settings", "s1", {}) is None
    assert change_of("google_calendar", "calendars", "", {}) is None
    assert change_of("google_calendar", "events/", "e1", {}) is None
    assert fields_of("unheard_of") == {}


def test_a_deleted_record_leaves_nothing_of_its_node() -> None:
    change = change_of("google_gmail", "messages", "m1", None)
    assert change is not None
    assert (change.node, change.drawing) == (NodeId("Mail", "m1"), None)


STREAMS = [
    ("google_calendar", "calendars"), ("google_calendar", "events/c1"),
    ("google_gmail", "messages"), ("google_contacts", "connections"),
    ("google_tasks", "tasklists"), ("google_tasks", "tasks/l1"),
]  # fmt: skip
SOUP_KEYS = st.sampled_from(
    ["start", "end", "date", "dateTime", "timeZone", "email", "attendees", "organizer", "payload",
     "headers", "name", "value", "names", "metadata", "primary", "sources", "updateTime", "due",
     "internalDate", "labelIds", "organizations", "birthdays", "emailAddresses", "recurrence",
     "recurringEventId", "parent", "threadId", "month", "day", "year", "updated", "summary"]
)  # fmt: skip
SOUP_VALUES = st.sampled_from(
    ["2026-01-01", "2026-01-01T09:00:00Z", "9999-12-31T23:59:59-10:00", "To", "From", "Date",
     "a@b.c", "Europe/Berlin", "\ud800", "", 0, -1, 2**70, 1.5, True, None, "1772357405123",
     "---"]
)  # fmt: skip
SOUP = st.recursive(
    SOUP_VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SOUP_KEYS, inner, max_size=6),
    max_leaves=25,
)


@given(st.sampled_from(STREAMS), st.dictionaries(SOUP_KEYS, SOUP, max_size=10))
def test_any_item_can_be_drawn_and_every_value_of_it_stored(
    where: tuple[str, str], item: dict[str, Any]
) -> None:
    drawn = draw(*where, "i1", **{key: value for key, value in item.items() if key != "id"})

    for name, value in drawn.properties.items():
        if isinstance(value, datetime):
            assert name in MOMENTS[drawn.node.label]
            assert value.tzinfo is UTC
        if isinstance(value, str):
            assert value.encode()
        if isinstance(value, list):
            assert value
            assert all(isinstance(entry, str) for entry in value)
    for edge in drawn.edges:
        assert edge.target
        assert RELATIONS[edge.type].source == drawn.node.label
        assert all(isinstance(value, str | bool) for value in edge.properties.values())
