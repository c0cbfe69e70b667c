"""Which events are inside of the window, compared with writing every instance out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.google.window import ends_after

SINCE = datetime(2026, 6, 1, tzinfo=UTC)


def timed(start: datetime, hours: int = 1, **more: Any) -> dict[str, Any]:
    end = start + timedelta(hours=hours)
    return {
        "id": "e",
        "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
        **more,
    }


@given(hours_before=st.integers(-500, 500), length=st.integers(1, 48))
def test_a_single_event_counts_by_its_end(hours_before: int, length: int) -> None:
    start = SINCE - timedelta(hours=hours_before)
    assert ends_after(timed(start, length), SINCE) is (start + timedelta(hours=length) > SINCE)


@given(
    days_before=st.integers(0, 400), count=st.integers(1, 60), every=st.integers(1, 7),
    length=st.integers(1, 30),
)  # fmt: skip
def test_a_series_counts_by_its_last_instance(
    days_before: int, count: int, every: int, length: int
) -> None:
    start = SINCE - timedelta(days=days_before)
    event = timed(start, length, recurrence=[f"RRULE:FREQ=DAILY;INTERVAL={every};COUNT={count}"])
    last_end = start + timedelta(days=every * (count - 1), hours=length)
    assert ends_after(event, SINCE) is (last_end > SINCE)


def test_an_endless_series_goes_on() -> None:
    assert ends_after(
        timed(datetime(1999, 1, 1, tzinfo=UTC), recurrence=["RRULE:FREQ=DAILY"]), SINCE
    )


def test_an_all_day_series_ends_with_its_last_day() -> None:
    event = {
        "start": {"date": "2026-05-01"},
        "end": {"date": "2026-05-02"},
        "recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20260520"],
    }
    assert not ends_after(event, SINCE)
    assert ends_after(event, datetime(2026, 5, 10, tzinfo=UTC))


def test_a_rule_that_cannot_be_read_counts_as_going_on() -> None:
    event = timed(datetime(2020, 1, 1, tzinfo=UTC), recurrence=["RRULE:FREQ=SOMETIMES;COUNT=2"])
    assert ends_after(event, SINCE)


def test_an_unknown_zone_is_read_as_utc() -> None:
    event = timed(datetime(2020, 1, 1, tzinfo=UTC), recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    event["start"]["timeZone"] = "Mars/Olympus"
    assert not ends_after(event, SINCE)


def test_a_cancelled_instance_counts_by_its_original_start() -> None:
    instance = {"status": "cancelled", "recurringEventId": "m"}
    before, after = "2026-05-31T10:00:00Z", "2026-06-01T10:00:00Z"
    assert not ends_after({**instance, "originalStartTime": {"dateTime": before}}, SINCE)
    assert ends_after({**instance, "originalStartTime": {"dateTime": after}}, SINCE)
