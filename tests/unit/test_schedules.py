"""Crons of schedules mean what cron means."""

from datetime import UTC, datetime

import pytest

from pipeline.config import Settings
from pipeline.errors import Misconfigured
from pipeline.schedules import SCHEDULES, trigger

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)


def fires_on(cron: str) -> list[str]:
    """Return the weekdays of a week on which a cron fires."""
    when = trigger(SCHEDULES[0], Settings(cron_dispatch=cron))
    found, previous = [], None
    while True:
        previous = when.get_next_fire_time(previous, previous or SUNDAY)
        if (previous - SUNDAY).days >= 7:
            return found
        found.append(previous.strftime("%a").lower())


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("0", ["sun"]),
        ("7", ["sun"]),
        ("1", ["mon"]),
        ("1-5", ["mon", "tue", "wed", "thu", "fri"]),
        ("0-2", ["sun", "mon", "tue"]),
        ("6,0", ["sun", "sat"]),
        ("*/3", ["sun", "wed", "sat"]),
        ("2/2", ["tue", "thu", "sat"]),
        ("mon,wed", ["mon", "wed"]),
        ("*", ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ],
)
def test_weekdays_count_from_sunday_as_in_cron(days, expected):
    assert fires_on(f"0 3 * * {days}") == expected
    assert fires_on(f"0 0 3 * * {days}") == expected


@pytest.mark.parametrize(
    "cron", ["0 3 * *", "0 3 * * 8", "0 3 * * 5-1", "0 3 * * 1/0", "x 3 * * 1"]
)
def test_a_cron_that_cannot_be_read_names_the_setting(cron):
    with pytest.raises(Misconfigured, match="CRON_DISPATCH="):
        fires_on(cron)
