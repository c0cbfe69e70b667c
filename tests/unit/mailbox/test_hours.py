"""Staged mail is executed at the first moment of working hours, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mailbox.hours import next_execution, within, zone_of

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
)
BERLIN = ZoneInfo("Europe/Berlin")
moments = st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC, second=0, microsecond=0)
)
hours = st.integers(0, 23)


def hours_from(start: int, end: int) -> dict[str, int]:
    return {"working_hours_start": start, "working_hours_end": end}


@given(moments, st.integers(-3000, 3000), hours, hours, st.sampled_from(ZONES))
def test_it_is_the_first_moment_within_hours_and_not_before_either(
    expires_at: datetime, minutes: int, start: int, end: int, zone_name: str
) -> None:
    zone, now = ZoneInfo(zone_name), expires_at + timedelta(minutes=minutes)
    earliest = max(expires_at, now)
    moment = next_execution(expires_at, now, hours_from(start, end), zone)
    assert moment >= earliest
    assert within(moment, start, end, zone)
    before = earliest
    while before < moment:
        assert not within(before, start, end, zone)
        before += timedelta(minutes=10)


@pytest.mark.parametrize(
    ("now", "start", "end", "expected"),
    [
        ("2026-03-02T07:30+00:00", 9, 17, "2026-03-02T08:00+00:00"),
        ("2026-03-02T12:34+00:00", 9, 17, "2026-03-02T12:34+00:00"),
        ("2026-03-02T16:00+00:00", 9, 17, "2026-03-03T08:00+00:00"),
        ("2026-03-02T03:00+00:00", 0, 0, "2026-03-02T03:00+00:00"),
        ("2026-03-02T23:00+00:00", 22, 6, "2026-03-02T23:00+00:00"),
        ("2026-03-02T12:00+00:00", 22, 6, "2026-03-02T21:00+00:00"),
        # On this day Berlin has no clock that shows between two and three.
        ("2026-03-29T00:30+00:00", 2, 3, "2026-03-30T00:00+00:00"),
        ("2026-03-28T20:00+00:00", 9, 17, "2026-03-29T07:00+00:00"),
        # On this one it shows that hour twice.
        ("2026-10-25T01:30+00:00", 2, 3, "2026-10-25T01:30+00:00"),
    ],
)
def test_in_berlin(now: str, start: int, end: int, expected: str) -> None:
    moment = datetime.fromisoformat(now)
    found = next_execution(moment, moment, hours_from(start, end), BERLIN)
    assert found == datetime.fromisoformat(expected)


def test_the_usual_hours_hold_where_none_are_set() -> None:
    moment = datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert next_execution(moment, moment, {}, UTC) == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_zone_is_the_users_then_the_mailboxs_then_utc() -> None:
    user = {"preferences": {"time_zone": "Europe/Berlin"}}
    assert zone_of(user, {"time_zone": "Asia/Tokyo"}) == BERLIN
    assert zone_of({"preferences": {"time_zone": "No/Where"}}, {}) == UTC
    assert str(zone_of({}, {"time_zone": "Asia/Tokyo"})) == "Asia/Tokyo"
    assert zone_of({}, {"time_zone": "../etc"}) == UTC
