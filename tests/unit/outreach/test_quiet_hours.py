"""Nothing is sent in quiet hours, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Permanent
from pipeline.outreach.plans import Quiet
from pipeline.quiet_hours import next_allowed, quiet_until

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: Clocks that do odd things: half hours, a lost day, two hours at once, back for a month.
ODD_ZONES = (
    "America/Los_Angeles",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/Havana",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Europe/Dublin",
    "America/Nuuk",
)
ALL_ZONES = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
zones = st.sampled_from(ODD_ZONES) | st.sampled_from(ALL_ZONES)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2036, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC, microsecond=0)
)
clock_times = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 59)))


def hours(start: time | str, end: time | str) -> Quiet:
    return Quiet.model_validate({"start": start, "end": end})


def leaves_time(times: tuple[time, time]) -> bool:
    start, end = (part.hour * 60 + part.minute for part in times)
    return start == end or (start - end) % 1440 >= 15


spans = st.tuples(clock_times, clock_times).filter(leaves_time).map(lambda pair: hours(*pair))


def is_quiet(instant: datetime, zone: ZoneInfo, quiet: Quiet) -> bool:
    """Say it in another way: count minutes of the clock from where the hours begin."""
    clock = instant.astimezone(zone)
    start, end, now = (part.hour * 60 + part.minute for part in (quiet.start, quiet.end, clock))
    return (now - start) % 1440 < (end - start) % 1440


def changes_of(zone: ZoneInfo, year: int) -> list[datetime]:
    """Return the hours after which the clock of a zone is changed in a year."""
    each = [datetime(year, 1, 1, tzinfo=UTC) + HOUR * number for number in range(366 * 24)]
    offsets = [(hour, hour.astimezone(zone).utcoffset()) for hour in each]
    return [first for (first, old), (_, new) in pairwise(offsets) if old != new]


def check(instant: datetime, zone_name: str, quiet: Quiet) -> None:
    zone, until = ZoneInfo(zone_name), quiet_until(instant, zone_name, quiet)
    assert (until is None) == (not is_quiet(instant, zone, quiet))
    if until is None:
        return
    assert until > instant
    assert not is_quiet(until, zone, quiet)
    assert quiet_until(until, zone_name, quiet) is None
    probe = instant
    while probe < until:
        assert is_quiet(probe, zone, quiet)
        probe += MINUTE
    assert is_quiet(until - timedelta(seconds=1), zone, quiet)


@settings(max_examples=80, deadline=None)
@given(moments, zones, spans)
def test_it_is_quiet_up_to_the_first_moment_that_is_not(
    instant: datetime, zone_name: str, quiet: Quiet
) -> None:
    check(instant, zone_name, quiet)


@pytest.mark.parametrize(
    ("zone_name", "year"),
    [(name, 2026) for name in ODD_ZONES]
    + [("Pacific/Apia", 2011), ("Pacific/Kwajalein", 1993), ("Asia/Pyongyang", 2015)],
)
def test_so_it_is_on_days_on_which_a_clock_is_changed(zone_name: str, year: int) -> None:
    for change in changes_of(ZoneInfo(zone_name), year):
        for before in (0, 1, 5, 20):
            for quiet in (
                hours("21:00", "02:30"),
                hours("00:00", "03:00"),
                hours("02:15", "02:45"),
            ):
                check(change - HOUR * before + MINUTE * 7, zone_name, quiet)


@settings(max_examples=80, deadline=None)
@given(moments, zones, spans, st.sampled_from((0, 60, 600)))
def test_what_may_go_out_does_not_arrive_in_quiet_hours(
    instant: datetime, zone_name: str, quiet: Quiet, seconds: int
) -> None:
    margin, zone = timedelta(seconds=seconds), ZoneInfo(zone_name)
    allowed = next_allowed(instant, zone_name, quiet, margin)
    assert instant <= allowed < instant + timedelta(days=3)
    assert next_allowed(allowed, zone_name, quiet, margin) == allowed
    for second in range(0, max(seconds, 1), 20):
        assert not is_quiet(allowed + timedelta(seconds=second), zone, quiet)
    until = quiet_until(instant, zone_name, quiet)
    if until is None and allowed > instant:
        begins = instant + margin - timedelta(seconds=1)
        assert any(is_quiet(begins - MINUTE * step, zone, quiet) for step in range(11))
    assert allowed >= (until or instant)


@pytest.mark.parametrize(
    ("zone_name", "start", "end", "instant", "until"),
    [
        # The first three came out a day early or late in the system that this one replaces.
        (
            "America/Los_Angeles",
            "23:00",
            "02:00",
            "2026-01-05T23:30-08:00",
            "2026-01-06T02:00-08:00",
        ),
        (
            "America/Los_Angeles",
            "22:00",
            "07:30",
            "2026-07-05T22:00-07:00",
            "2026-07-06T07:30-07:00",
        ),
        ("Asia/Tokyo", "18:00", "20:00", "2026-01-05T18:30+09:00", "2026-01-05T20:00+09:00"),
        ("Europe/Berlin", "22:00", "00:00", "2026-01-05T23:00+01:00", "2026-01-06T00:00+01:00"),
        # The end is skipped by a clock that is put forward: it is over when the clock has jumped.
        ("Europe/Berlin", "22:00", "02:30", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"),
        # The clock shows the quiet hour twice: it is quiet until the first one ends.
        ("Europe/Berlin", "22:00", "02:30", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", "22:00", "03:00", "2026-10-25T01:00+02:00", "2026-10-25T03:00+01:00"),
        # A whole day is left out: Samoa went from 29 to 31 December.
        ("Pacific/Apia", "20:00", "08:00", "2011-12-29T22:00-10:00", "2011-12-31T08:00+14:00"),
        (
            "Australia/Lord_Howe",
            "22:00",
            "02:15",
            "2026-10-04T01:00+10:30",
            "2026-10-04T02:30+11:00",
        ),
    ],
)
def test_examples(zone_name: str, start: str, end: str, instant: str, until: str) -> None:
    found = quiet_until(datetime.fromisoformat(instant), zone_name, hours(start, end))
    assert found == datetime.fromisoformat(until)


def test_what_would_be_handed_over_just_before_waits_until_it_is_over() -> None:
    just_before = datetime(2026, 1, 5, 20, 59, 1, tzinfo=UTC)
    quiet = hours("21:00", "08:00")
    assert quiet_until(just_before, "UTC", quiet) is None
    morning = datetime(2026, 1, 6, 8, tzinfo=UTC)
    assert next_allowed(just_before, "UTC", quiet, MINUTE) == morning
    early_enough = just_before - timedelta(seconds=1)
    assert next_allowed(early_enough, "UTC", quiet, MINUTE) == early_enough


def test_it_is_never_quiet_without_hours_or_from_a_time_to_the_same_time() -> None:
    instant = datetime(2026, 1, 5, 3, tzinfo=UTC)
    for quiet in (None, hours("03:00", "03:00")):
        assert quiet_until(instant, "UTC", quiet) is None
        assert next_allowed(instant, "UTC", quiet, MINUTE) == instant


@pytest.mark.parametrize("name", ["No/Where", "../etc/passwd", ""])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Permanent):
        quiet_until(datetime(2026, 1, 5, tzinfo=UTC), name, hours("21:00", "08:00"))
