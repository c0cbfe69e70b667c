"""ISO 8601 durations of plans: "PT72H", "P2W", "P1M"; months and years go by the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import isodate

#: Stores keep no finer times, and one that was read back must equal the one that was written.
SHORTEST = timedelta(milliseconds=1)
LONGEST = timedelta(days=366)
_MOST_CHARACTERS = 64
#: A leap year begins here: nothing is longer elsewhere.
_LONG_YEAR = datetime(2024, 1, 1, tzinfo=UTC)

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))

#: isodate has a type of its own for months and years; it adds to an instant as a timedelta does.
Span = Any


def add(instant: datetime, duration: str) -> datetime:
    """Return `instant` in UTC, `duration` later, in whole milliseconds.

    A month after 31 January is the last day of February.
    """
    later: datetime = instant.astimezone(UTC) + _parsed(duration)
    return later.replace(microsecond=later.microsecond // 1000 * 1000)


def in_words(text: str) -> str:
    """Return a duration as people say it, exactly: "3 d", "1 min 30 s"; itself if it is none."""
    try:
        span = _parsed(text)
    except (ValueError, ArithmeticError):
        return text
    return seconds_in_words(((_LONG_YEAR + span) - _LONG_YEAR).total_seconds())


def seconds_in_words(seconds: float, most: int = len(_UNITS)) -> str:
    """Return so many seconds in words, in at most so many units from the largest on."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        amount, left = divmod(left, size)
        if amount or parts:
            parts.append(f"{amount} {unit}" if amount else "")
    return " ".join(filter(None, parts[:most])) or "0 s"


def checked(text: str) -> str:
    """Return a duration as it came.  Raises ValueError that says what is wrong with it."""
    if len(text) > _MOST_CHARACTERS or not any(sign.isdigit() for sign in text):
        raise ValueError("is no duration; give an ISO 8601 one such as PT72H or P3D")
    if text.startswith("-"):
        raise ValueError("is negative; a plan only looks ahead")
    try:
        span = _parsed(text)
    except (ValueError, ArithmeticError):  # isodate lets decimal and timedelta overflow
        raise ValueError("is no duration; give an ISO 8601 one such as PT72H or P3D") from None
    _check_length(span)
    return text


def checked_positive(text: str) -> str:
    """Return a duration that takes time.  Raises ValueError that says what is wrong with it."""
    checked(text)
    if add(_LONG_YEAR, text) < _LONG_YEAR + SHORTEST:
        raise ValueError("takes no time; a timer needs at least a millisecond")
    return text


def _check_length(span: Span) -> None:
    try:
        too_long = _LONG_YEAR + span > _LONG_YEAR + LONGEST
    except OverflowError:
        too_long = True
    except ValueError:
        raise ValueError("has a fraction of a month or year; give days instead") from None
    if too_long:
        raise ValueError(f"is too long; give at most {LONGEST.days} days")


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Span:
    if text.endswith("T") or text != text.strip():  # isodate takes both
        raise ValueError(text)
    span: Span = isodate.parse_duration(text)
    return span
