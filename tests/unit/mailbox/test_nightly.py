"""The nightly analysis: once on every local day, at two o'clock, whatever the clocks do."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mailbox.hours import zone_of
from pipeline.mailbox.patterns.nightly import SPREAD_MINUTES, next_analysis

SPREAD = timedelta(minutes=SPREAD_MINUTES)
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
KEYS = st.text(max_size=32)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))


def runs(start: datetime, zone: ZoneInfo, key: str, number: int) -> list[datetime]:
    """Return the local times of so many analyses in a row."""
    found, now = [], start
    for _ in range(number):
        now = next_analysis(now, zone, key)
        found.append(now.astimezone(zone))
    return found


@given(start=MOMENTS, zone=ZONES, key=KEYS)
def test_there_is_one_on_each_local_day_soon_after_two(
    start: datetime, zone: ZoneInfo, key: str
) -> None:
    found = runs(start, zone, key, 5)
    days = [moment.date() for moment in found]
    # Days that a zone has left out, when it crossed the date line, have none.
    assert all((later - earlier).days in (1, 2) for earlier, later in pairwise(days))
    for moment in found:
        assert 2 <= moment.hour <= 3 or moment.utcoffset() != (moment - timedelta(1)).utcoffset()
    assert start < found[0] <= start + timedelta(days=2)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2026, 3, 25, tzinfo=UTC)),  # 02:00 is skipped
        ("Europe/Berlin", datetime(2026, 10, 21, tzinfo=UTC)),  # and shown twice
        ("America/New_York", datetime(2026, 3, 4, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 10, 28, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 1, tzinfo=UTC)),  # by half an hour
        ("Africa/Cairo", datetime(2026, 4, 20, tzinfo=UTC)),  # at midnight
        ("America/Scoresbysund", datetime(2026, 3, 25, tzinfo=UTC)),
    ],
)
@given(key=KEYS, minutes=st.integers(0, 1439))
def test_clocks_that_are_changed_neither_lose_nor_double_a_night(
    zone: str, start: datetime, key: str, minutes: int
) -> None:
    found = runs(start + timedelta(minutes=minutes), ZoneInfo(zone), key, 10)
    days = [moment.date() for moment in found]
    assert days == [days[0] + timedelta(days=number) for number in range(10)]
    midnight = [moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in found]
    since = [moment - start for moment, start in zip(found, midnight, strict=True)]
    assert all(timedelta(hours=2) <= one < timedelta(hours=3) + SPREAD for one in since)


def test_a_day_that_never_was_has_no_night() -> None:
    found = runs(datetime(2011, 12, 27, tzinfo=UTC), ZoneInfo("Pacific/Apia"), "m", 6)
    assert [moment.day for moment in found] == [27, 28, 29, 31, 1, 2]


@given(now=MOMENTS, zone=ZONES, key=KEYS)
def test_what_is_asked_for_again_is_the_same(now: datetime, zone: ZoneInfo, key: str) -> None:
    due = next_analysis(now, zone, key)
    assert due.tzinfo is UTC
    assert next_analysis(due - timedelta(microseconds=1), zone, key) == due
    assert next_analysis(due, zone, key) > due


def test_the_mailboxes_of_a_zone_do_not_start_at_once() -> None:
    now, zone = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    dues = [next_analysis(now, zone, f"mailbox-{number}") for number in range(3000)]
    per_minute = Counter(due.replace(second=0, microsecond=0) for due in dues)
    assert len(per_minute) == SPREAD_MINUTES
    assert max(per_minute.values()) < 2 * 3000 / SPREAD_MINUTES


@pytest.mark.parametrize(
    ("of_user", "of_mailbox", "expected"),
    [
        ("Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo"),
        (None, "Europe/Berlin", "Europe/Berlin"),
        ("", "Europe/Berlin", "Europe/Berlin"),
        ("Middle/Earth", "Europe/Berlin", "Europe/Berlin"),
        ("../../etc/passwd", "W. Europe Standard Time", "UTC"),
        (None, None, "UTC"),
    ],
)
def test_the_users_own_zone_counts_before_that_of_the_mailbox(
    of_user: str | None, of_mailbox: str | None, expected: str
) -> None:
    zone = zone_of({"preferences": {"time_zone": of_user}}, {"time_zone": of_mailbox})
    assert str(zone) == expected
    assert str(zone_of({}, {})) == "UTC"
