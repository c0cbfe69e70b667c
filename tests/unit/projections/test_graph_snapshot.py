"""Two snapshots tell, item by item, where they differ."""

from __future__ import annotations

from typing import Any

from pipeline.projections.graph_snapshot import Snapshot, expected

EVENTS = "events/c1"
EVENT: dict[str, Any] = {"id": "ev1", "summary": "Standup", "attendees": [{"email": "a@x.de"}]}


def snapshot(*items: tuple[str, str, str, Any]) -> Snapshot:
    return expected("ada", items)


def told(wanted: Snapshot, found: Snapshot) -> list[str]:
    return [str(difference) for difference in wanted.differences(found)]


def test_the_same_items_in_another_order_do_not_differ() -> None:
    items = [
        ("google_calendar", "calendars", "c1", {"id": "c1"}),
        ("google_calendar", EVENTS, "ev1", EVENT),
        ("google_calendar", EVENTS, "ev2", {"id": "ev2", "recurringEventId": "ev1"}),
    ]
    assert told(snapshot(*items), snapshot(*reversed(items))) == []


def test_a_missing_item_is_named_with_its_edges() -> None:
    assert told(snapshot(("google_calendar", EVENTS, "ev1", EVENT)), snapshot()) == [
        "missing EmailAddress a@x.de",
        "missing Event c1/ev1",
        "missing ATTENDED_BY c1/ev1 -> a@x.de",
    ]


def test_a_changed_item_is_named_with_the_properties_that_differ() -> None:
    other = {**EVENT, "summary": "Stand-up", "status": "tentative"}
    found = told(
        snapshot(("google_calendar", EVENTS, "ev1", EVENT)),
        snapshot(("google_calendar", EVENTS, "ev1", other)),
    )
    assert found == ["different Event c1/ev1 (status, summary)"]


def test_one_and_true_differ() -> None:
    wanted, found = Snapshot(), Snapshot()
    wanted.add_edge("ATTENDED_BY", "e", "a@x.de", {"organizer": True})
    found.add_edge("ATTENDED_BY", "e", "a@x.de", {"organizer": 1})
    assert told(wanted, found) == ["different ATTENDED_BY e -> a@x.de (organizer)"]


def test_an_edge_that_is_there_twice_is_told() -> None:
    wanted, found = Snapshot(), Snapshot()
    for side in (wanted, found, found):
        side.add_edge("SENT_TO", "m", "a@x.de", {"kind": "to"})
    assert told(wanted, found) == ["twice SENT_TO m -> a@x.de -> to"]


def test_a_link_is_expected_only_where_both_ends_are() -> None:
    instance = ("google_calendar", EVENTS, "ev2", {"id": "ev2", "recurringEventId": "ev1"})
    master = ("google_calendar", EVENTS, "ev1", EVENT)
    assert [edge.type for edge in snapshot(instance).edges] == []
    assert "INSTANCE_OF" in [edge.type for edge in snapshot(instance, master).edges]
