"""Recurring events: when they take place, and what their exceptions look like."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox.data.calendars import primary_calendar
from pipeline.sandbox.data.event_times import (
    cancelled_instance,
    exclusion,
    moment_of,
    moved_instance,
    original_starts,
)
from pipeline.sandbox.data.persona import persona
from pipeline.sandbox.data.scene import Scene
from pipeline.sandbox.data.series import birthday, ended_series, series

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


def standup(**fields: Any) -> dict[str, Any]:
    return {
        "id": "standup",
        "summary": "Stand-up",
        "start": {"dateTime": "2026-10-20T09:00:00+02:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-10-20T09:15:00+02:00", "timeZone": "Europe/Berlin"},
        "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU"],
    } | fields


def test_occurrences_keep_their_wall_clock_time_when_the_offset_changes() -> None:
    starts = [when["dateTime"] for when in original_starts(standup(), LONG_AGO, 3)]
    assert starts == [
        "2026-10-20T09:00:00+02:00",
        "2026-10-27T09:00:00+01:00",
        "2026-11-03T09:00:00+01:00",
    ]


def test_an_excluded_occurrence_does_not_take_place() -> None:
    second = original_starts(standup(), LONG_AGO, 2)[1]
    assert exclusion(second) == "EXDATE;TZID=Europe/Berlin:20261027T090000"
    event = standup(recurrence=["RRULE:FREQ=WEEKLY;BYDAY=TU", exclusion(second)])
    assert second not in original_starts(event, LONG_AGO, 3)


def test_an_occurrence_is_named_after_its_original_start_in_utc() -> None:
    third = original_starts(standup(), LONG_AGO, 3)[2]
    moved = moved_instance(standup(), third, timedelta(days=1, minutes=30))
    assert moved["id"] == "standup_20261103T080000Z"
    assert moved["originalStartTime"] == third
    assert moved["start"]["dateTime"] == "2026-11-04T09:30:00+01:00"
    assert moved["end"]["dateTime"] == "2026-11-04T09:45:00+01:00"
    assert "recurrence" not in moved


def test_an_all_day_occurrence_is_named_after_its_date() -> None:
    days = {"start": {"date": "2026-11-03"}, "end": {"date": "2026-11-05"}}
    event = standup(**days, recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    last = original_starts(event, LONG_AGO, 9)[2]
    moved = moved_instance(event, last, timedelta(days=7))
    assert moved["id"] == "standup_20261105"
    assert (moved["start"], moved["end"]) == ({"date": "2026-11-12"}, {"date": "2026-11-14"})


def test_a_cancelled_occurrence_says_only_which_one_it_is() -> None:
    first = original_starts(standup(), LONG_AGO, 1)[0]
    assert set(cancelled_instance(standup(), first)) == {
        *("id", "recurringEventId", "originalStartTime", "status")
    }


def scene_of(seed: int) -> Scene:
    someone = persona(seed % 3, f"user{seed}", "ada@users.example", NOW)
    return Scene(someone, primary_calendar(someone, Random(seed)), Random(seed))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_series_begins_with_its_own_start_and_goes_on(seed: int) -> None:
    event = series(scene_of(seed))
    rule, *excluded = event["recurrence"]
    starts = original_starts(event | {"recurrence": [rule]}, LONG_AGO, 3)
    assert starts[0] == event["start"]
    assert len(starts) >= 2
    assert all(any(exclusion(when) == line for when in starts) for line in excluded)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_series_that_ended_has_no_occurrence_for_more_than_a_year(seed: int) -> None:
    event = ended_series(scene_of(seed))
    last = original_starts(event, LONG_AGO, 1000)[-1]
    assert NOW - moment_of(last) > timedelta(days=365)


def test_a_birthday_returns_each_year() -> None:
    event = birthday(scene_of(5))
    years = [when["date"][:4] for when in original_starts(event, NOW, 3)]
    assert len(set(years)) == 3
