"""Due times: spread over the interval, never further away than it, and the same for its half."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sync import due

MAILS = "google_gmail"
INTERVAL_SECONDS = 720.0
MOMENTS = st.datetimes(
    datetime(2026, 1, 1),
    datetime(2036, 1, 1),
    timezones=st.just(UTC),
)
INTERVALS = st.floats(1, 7 * 86_400)


@given(user=st.text(min_size=1), after=MOMENTS, interval=INTERVALS)
def test_the_next_due_time_lies_within_one_interval(
    user: str, after: datetime, interval: float
) -> None:
    moment = due.next_due(user, MAILS, after, interval)
    longest = timedelta(seconds=interval * (1 + due.JITTER_SHARE), microseconds=2)
    assert timedelta() <= moment - after <= longest


@given(user=st.text(min_size=1), after=MOMENTS, doublings=st.integers(1, 5))
def test_the_moments_of_an_interval_are_also_those_of_its_half(
    user: str, after: datetime, doublings: int
) -> None:
    long = INTERVAL_SECONDS * 2**doublings
    moment = due.next_due(user, MAILS, after, long)
    before = moment - timedelta(seconds=long * due.JITTER_SHARE + 1)
    again = due.next_due(user, MAILS, before, INTERVAL_SECONDS)
    slack = long * due.JITTER_SHARE + INTERVAL_SECONDS * due.JITTER_SHARE + 1
    assert abs((again - moment).total_seconds()) <= slack


@pytest.mark.parametrize("interval", [300.0, INTERVAL_SECONDS, 1440.0, 3600.0])
def test_users_are_spread_evenly(interval: float) -> None:
    after = datetime(2026, 5, 1, tzinfo=UTC)
    parts: Counter[int] = Counter()
    for number in range(10_000):
        wait = (due.next_due(f"user-{number}", MAILS, after, interval) - after).total_seconds()
        parts[min(9, int(wait / interval * 10))] += 1
    mean = 10_000 / 10
    assert max(parts.values()) / mean < 1.2
    assert min(parts.values()) / mean > 0.8


def test_users_who_all_came_at_once_are_spread_evenly_from_their_second_look_on() -> None:
    """After an outage all run in the same minute; that must not go on for ever."""
    minutes: Counter[int] = Counter()
    at = datetime(2026, 5, 1, tzinfo=UTC)
    for number in range(10_000):
        user = f"user-{number}"
        moment = due.next_due(user, MAILS, at, INTERVAL_SECONDS)
        for _ in range(5):
            moment = due.next_due(user, MAILS, moment, INTERVAL_SECONDS)
            minutes[int((moment - at).total_seconds() // 60)] += 1
    full = [minutes[minute] for minute in range(24, 60)]
    assert max(full) / (sum(full) / len(full)) < 1.3


def test_the_pause_after_a_failure_doubles_up_to_a_quarter_of_an_hour() -> None:
    pauses = [due.backoff(failures).total_seconds() for failures in (1, 2, 3, 4, 11, 1000)]
    assert pauses == [1, 2, 4, 8, 900, 900]
