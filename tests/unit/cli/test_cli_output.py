"""How values are shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.cli.output import age, duration, percent, table

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def shown(title: str, columns: tuple[str, ...], rows: list[tuple[str | int | None, ...]]) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(title, columns, rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (None, "–"),
    ],
)
def test_durations_are_told_in_their_largest_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_is_never_told_as_longer_than_it_is_and_hardly_shorter(seconds: float) -> None:
    sizes = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    words = duration(seconds).split()
    told = sum(
        int(amount) * sizes[unit] for amount, unit in zip(words[::2], words[1::2], strict=True)
    )
    assert told <= seconds + 0.5
    assert seconds - told <= max(sizes[words[-1]], seconds / 24) + 0.5


@given(st.integers(min_value=1, max_value=10**9), st.data())
def test_only_all_of_them_are_100_percent(users: int, data: st.DataObject) -> None:
    fresh = data.draw(st.integers(min_value=0, max_value=users))
    assert (percent(fresh / users) == "100%") == (fresh == users)


def test_what_never_happened_is_said_so() -> None:
    assert age(None, NOW) == "never"
    assert age(NOW - timedelta(minutes=5), NOW) == "5 min ago"


def test_text_in_a_table_is_not_read_as_markup() -> None:
    assert "[bold]ada[/bold]" in shown("Users", ("user",), [("[bold]ada[/bold]",)])


def test_numbers_in_a_table_have_their_thousands_apart() -> None:
    assert "1,234,567" in shown("Users", ("records", "none"), [(1_234_567, None)])
