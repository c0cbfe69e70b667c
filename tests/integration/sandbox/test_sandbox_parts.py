"""Small parts on their own: tokens, recurrence, the search language, the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.calls import ApiError
from pipeline.sandbox.clock import parse_rfc3339_ms, rfc3339
from pipeline.sandbox.cursors import CursorCodec
from pipeline.sandbox.gmail_query import parse_query
from pipeline.sandbox.recurrence import happens_between, span_ms

CODEC = CursorCodec(b"secret")
FIELDS = st.dictionaries(
    st.text(max_size=3), st.one_of(st.none(), st.integers(), st.text(), st.booleans()), max_size=4
)


@given(fields=FIELDS)
def test_a_token_gives_back_what_it_was_made_from(fields):
    assert CODEC.decode("page", CODEC.encode("page", fields)) == fields


@given(fields=FIELDS, text=st.text())
def test_no_other_token_is_taken(fields, text):
    token = CODEC.encode("page", fields)
    assert CODEC.decode("people", token) is None
    assert CursorCodec(b"other").decode("page", token) is None
    assert CODEC.decode("page", text) is None


@given(at_ms=st.integers(0, 4_000_000_000_000))
def test_a_timestamp_reads_back_to_the_millisecond(at_ms):
    assert parse_rfc3339_ms(rfc3339(at_ms)) == at_ms


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "soon"])
def test_a_timestamp_needs_an_offset(text):
    with pytest.raises(ValueError, match=r"2026|soon"):
        parse_rfc3339_ms(text)


@given(text=st.text())
def test_a_search_is_understood_or_refused(text):
    try:
        parse_query(text, 0)
    except ApiError as error:
        assert error.status == 400


def timed(start: str, end: str, *recurrence: str, zone: str = "Europe/Berlin"):
    event = {
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
    }
    return event | ({"recurrence": list(recurrence)} if recurrence else {})


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("event", "start", "end"),
    [
        (
            timed("2026-01-05T10:00:00+01:00", "2026-01-05T11:30:00+01:00"),
            "2026-01-05T09:00",
            "2026-01-05T10:30",
        ),
        (
            {"start": {"date": "2026-01-05"}, "end": {"date": "2026-01-07"}},
            "2026-01-05T00:00",
            "2026-01-07T00:00",
        ),
        (  # ten o'clock in Berlin is another hour in summer
            timed(
                "2026-03-23T10:00:00+01:00",
                "2026-03-23T11:00:00+01:00",
                "RRULE:FREQ=WEEKLY;COUNT=2",
            ),
            "2026-03-23T09:00",
            "2026-03-30T09:00",
        ),
        (
            timed(
                "2026-01-05T10:00:00+01:00",
                "2026-01-05T11:00:00+01:00",
                "RRULE:FREQ=DAILY;UNTIL=20260107",
                "EXDATE;TZID=Europe/Berlin:20260107T100000",
            ),
            "2026-01-05T09:00",
            "2026-01-06T10:00",
        ),
        (
            {
                "start": {"date": "2026-01-05"},
                "end": {"date": "2026-01-06"},
                "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260107T000000Z"],
            },
            "2026-01-05T00:00",
            "2026-01-08T00:00",
        ),
    ],
)
def test_the_span_of_an_event_reaches_to_its_last_end(event, start, end):
    assert span_ms(event) == (ms(start), ms(end))


def test_an_endless_series_has_no_end():
    rule = "RRULE:FREQ=MONTHLY"
    event = timed("2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z", rule, zone="UTC")
    assert span_ms(event) == (ms("2026-01-05T10:00"), None)
    assert happens_between(event, ms("2026-02-01T00:00"), ms("2026-02-10T00:00"))
    assert not happens_between(event, ms("2026-02-06T00:00"), ms("2026-03-01T00:00"))


def test_an_event_without_a_start_has_no_span():
    assert span_ms({"status": "cancelled"}) == (None, None)
