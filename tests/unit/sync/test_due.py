"""Due times: spread over the interval, and never further away than it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sync import due

MOMENTS = st.datetimes(
    datetime(2026, 1, 1),
    datetime(2036, 1, 1),
    timezones=st.just(UTC),
)


@given(user=st.text(min_size=1), after=MOMENTS)
def test_the_next_due_time_lies_within_one_interval(user: str, after: datetime) -> None:
    moment = due.next_due(user, "google_gmail", after)
    interval = due.interval_seconds("google_gmail")
    assert timedelta() < moment - after <= timedelta(seconds=interval * (1 + due.JITTER_SHARE))


def test_users_are_spread_evenly() -> None:
    after = datetime(2026, 5, 1, tzinfo=UTC)
    interval = due.interval_seconds("google_gmail")
    shares = [0] * 10
    for number in range(10_000):
        wait = (due.next_due(f"user-{number}", "google_gmail", after) - after).total_seconds()
        shares[min(9, int(wait / interval * 10))] += 1
    assert min(shares) > 800
    assert max(shares) < 1200


def test_the_pause_after_a_failure_doubles_up_to_a_quarter_of_an_hour() -> None:
    pauses = [due.backoff(failures).total_seconds() for failures in (1, 2, 3, 4, 11, 1000)]
    assert pauses == [1, 2, 4, 8, 900, 900]
