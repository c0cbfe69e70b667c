"""Plans are read as people write them and stored in one form; durations go by the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.outreach import plans
from pipeline.outreach.plans import durations, examples

JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_plan_is_stored_as_it_was_given() -> None:
    raw = examples.welcome()
    stored = plans.canonical(plans.read(raw))
    assert stored["quietHours"] == {"start": "21:00", "end": "08:00"}
    assert stored["nodes"][1]["schedule"] == {"delay": "P1D"}
    assert stored | {"nodes": []} == raw | {"nodes": []}


def test_snake_case_is_read_and_camel_case_stored() -> None:
    camel = examples.welcome()
    snake: dict[str, Any] = {**camel, "start_node_id": "welcome", "time_zone": camel["timezone"]}
    snake["quiet_hours"] = camel["quietHours"]
    for name in ("startNodeId", "timezone", "quietHours"):
        del snake[name]
    assert plans.canonical(plans.read(snake)) == plans.canonical(plans.read(camel))


def test_the_digest_does_not_depend_on_order_or_on_what_is_said_anyway() -> None:
    raw = examples.welcome()
    terse = {name: raw[name] for name in reversed(raw) if name not in ("version", "defaults")}
    assert plans.digest(plans.read(terse)) == plans.digest(plans.read(raw))
    terse["nodes"][0]["subject"] = "Hi"
    assert plans.digest(plans.read(terse)) != plans.digest(plans.read(examples.welcome()))


def test_a_plan_says_how_long_its_timers_wait() -> None:
    plan = plans.read(examples.welcome())
    by_default = plans.Transition(on="no_click", to="end")
    assert plan.wait_of(plan.node("welcome").transitions[2]) == "PT72H"
    assert plan.wait_of(by_default) == "PT24H"


@pytest.mark.parametrize(
    ("duration", "later"),
    [
        ("PT0S", "2026-01-31T12:00:00"),
        ("PT90M", "2026-01-31T13:30:00"),
        ("P1W", "2026-02-07T12:00:00"),
        ("P0.5D", "2026-02-01T00:00:00"),
        ("PT1,5H", "2026-01-31T13:30:00"),
        ("P1M", "2026-02-28T12:00:00"),
        ("P1Y", "2027-01-31T12:00:00"),
        ("P1M1DT1H", "2026-03-01T13:00:00"),
        ("PT0.0019S", "2026-01-31T12:00:00.001"),
    ],
)
def test_durations_go_by_the_calendar(duration: str, later: str) -> None:
    assert durations.checked(duration) == duration
    assert durations.add(JANUARY, duration) == datetime.fromisoformat(later).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "1 hour",
        "pt1h",
        "PT1H ",
        "PT1H\n",
        "-PT1H",
        "P1.5M",
        "P0.1Y",
        "P367D",
        "P13M",
        "P99999999999D",
        "PT1e9S",
        "P9999999999Y",
        "P" + "9" * 70 + "D",
        "P²D",
    ],
)
def test_what_is_no_usable_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|negative|fraction|long"):
        durations.checked(text)


@pytest.mark.parametrize("text", ["PT0S", "P0D", "PT0.0001S"])
def test_a_timer_takes_time(text: str) -> None:
    assert durations.checked(text) == text
    with pytest.raises(ValueError, match="takes no time"):
        durations.checked_positive(text)


@given(
    st.timedeltas(timedelta(0), timedelta(days=366)), st.text("P0123456789YMWDTHS.,-", max_size=12)
)
def test_a_duration_is_added_or_refused(length: timedelta, text: str) -> None:
    whole = timedelta(milliseconds=length // timedelta(milliseconds=1))
    seconds, rest = divmod(whole, timedelta(seconds=1))
    text_of_it = f"PT{seconds}.{rest // timedelta(milliseconds=1):03}S"
    added = durations.add(JANUARY, durations.checked(text_of_it)) - JANUARY
    assert abs(added - whole) <= timedelta(milliseconds=1)
    try:
        durations.checked(text)
    except ValueError:
        return
    assert timedelta(0) <= durations.add(JANUARY, text) - JANUARY <= timedelta(days=366)
