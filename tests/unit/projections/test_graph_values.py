"""What reaches the driver is what both servers store alike."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytz
from bson import Int64
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.graph_values import to_bolt
from pipeline.errors import Permanent

SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 2) | st.floats(allow_nan=False)
    | st.text(max_size=5) | st.dates() | st.datetimes(timezones=st.timezones())
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(VALUES)
def test_no_datetime_reaches_the_driver_in_any_zone_but_pytz_utc(value: Any) -> None:
    try:
        found = to_bolt(value)
    except Permanent:
        return  # near year 1 or 9999, out of range in UTC
    for leaf in _leaves(found):
        if isinstance(leaf, datetime):
            assert leaf.tzinfo is pytz.UTC


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


@pytest.mark.parametrize("zone", [ZoneInfo("Asia/Kolkata"), timezone(timedelta(hours=5.5))])
def test_a_datetime_stays_the_same_instant(zone: Any) -> None:
    value = datetime(2026, 3, 1, 9, 30, tzinfo=zone)
    assert to_bolt({"rows": [{"at": value}]})["rows"][0]["at"] == datetime(
        2026, 3, 1, 4, 0, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 3, 1),
        time(9, tzinfo=UTC),
        2**63,
        object(),
        {"a": [{"b": datetime(2026, 3, 1)}]},
    ],
)
def test_what_the_servers_would_store_wrongly_is_refused(value: Any) -> None:
    with pytest.raises(Permanent):
        to_bolt(value)


@pytest.mark.parametrize(
    ("mixed", "stored"),
    [
        ([1, 2.5], [1.0, 2.5]),
        (["a", None, "b"], ["a", "b"]),
        ([1, "a", True], ["1", "a", "True"]),
        ([None], []),
        ((1, 2), [1, 2]),
        ([[1, "a"], {"x": [None, 1]}], [["1", "a"], {"x": [1]}]),
    ],
)
def test_lists_become_lists_of_one_type(mixed: Any, stored: Any) -> None:
    found = to_bolt(mixed)
    assert found == stored
    assert list(map(type, found)) == list(map(type, stored))


def test_plain_values_stay_as_they_are() -> None:
    plain = {"s": "x", "b": True, "f": 1.5, "d": date(2026, 3, 1), "n": None, "t": time(9)}
    assert to_bolt(plain) == plain
    assert type(to_bolt(Int64(5))) is int
