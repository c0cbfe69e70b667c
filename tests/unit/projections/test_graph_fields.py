"""Provider JSON that may be anything becomes values that can be stored, or nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.projections.graph import fields

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON)
def test_nothing_in_json_is_an_error(value: object) -> None:
    for read in (
        fields.text, fields.name, fields.names, fields.identifier, fields.integer, fields.flag,
        fields.moment, fields.day, fields.from_epoch_ms, fields.mapping, fields.mappings,
        fields.primary_first,
    ):  # fmt: skip
        read(value)  # type: ignore[operator]
    fields.moment("2026-01-01T00:00:00", value)


@given(st.text(st.characters(), max_size=2000))
def test_a_text_can_always_be_sent(value: str) -> None:
    found = fields.text(value + "\ud800\x00")
    assert found is not None
    assert 0 < len(found) <= fields.TEXT_CHARACTERS
    assert b"\x00" not in found.encode()


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        ("2026-03-01T09:30:00+02:00", None, datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00.123Z", None, datetime(2026, 3, 1, 9, 30, 0, 123000, tzinfo=UTC)),
        ("2026-03-01T09:30:00", "Europe/Berlin", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00", "Mars/Olympus", None),
        ("2026-03-01T09:30:00", None, None),
        ("2026-03-01T09:30:00", "Europe", None),
        ("0001-01-01T00:00:00+10:00", None, None),
        ("2026-02-30T09:30:00Z", None, None),
        ("soon", None, None),
    ],
)
def test_times_become_utc(written: str, zone: str | None, expected: datetime | None) -> None:
    assert fields.moment(written, zone) == expected


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_is_the_same_instant_in_utc(value: datetime) -> None:
    found = fields.moment(value.astimezone(UTC).isoformat())
    assert found == value.astimezone(UTC)
    assert found is not None
    assert found.tzinfo is UTC


@given(st.dates())
def test_a_date_keeps_no_zone(value: date) -> None:
    assert fields.day(f"{value.isoformat()}T00:00:00.000Z") == value
    assert fields.epoch_ms(value) % 86_400_000 == 0


@given(st.integers())
def test_milliseconds_and_times_are_the_same(value: int) -> None:
    found = fields.from_epoch_ms(str(value))
    assert found is None or fields.epoch_ms(found) == value


def test_numbers_beyond_64_bits_are_left_out() -> None:
    assert fields.integer("9223372036854775806") == 2**63 - 2
    assert fields.integer(2**63) is None
    assert fields.integer("9" * 5000) is None
    assert fields.integer(True) is None


def test_the_primary_entry_comes_first() -> None:
    entries = [{"value": "b"}, {"value": "a", "metadata": {"primary": True}}, "odd"]
    assert [entry["value"] for entry in fields.primary_first(entries)] == ["a", "b"]
