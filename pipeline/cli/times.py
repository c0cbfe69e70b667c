"""Points in time that a person types: "30m" from now, or "18:00", or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from pipeline.cli.exits import WrongUse

_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PART = r"\d{1,6}\s*(?:min|[smhdw])"
_DURATION = re.compile(rf"{_PART}(?:\s*{_PART})*", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


def duration_of(text: str) -> timedelta:
    """Return the duration that "90s", "30m", "2h", "1d 12h" or "1w" says.  Raises WrongUse."""
    if not _DURATION.fullmatch(text.strip()):
        raise WrongUse(f"{text!r} is not a duration; expected such as 90s, 30m, 2h, 1d or 1d12h")
    total = timedelta()
    for amount, unit in re.findall(r"(\d+)\s*(min|[smhdw])", text):
        total += timedelta(**{_UNITS[unit]: int(amount)})
    return total


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment that "18:00" (the next one) or "2026-05-04T18:00" says; UTC if no zone
    is given.  Raises WrongUse."""
    text = text.strip()
    if clock := _CLOCK.fullmatch(text):
        hour, minute = int(clock[1]), int(clock[2])
        if hour < 24 and minute < 60:
            today = datetime.combine(now.date(), time(hour, minute), UTC)
            return today if today > now else today + timedelta(days=1)
    try:
        read = datetime.fromisoformat(text)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongUse(
            f"{text!r} is not a time; expected such as 18:00 or 2026-05-04T18:00, in UTC"
        ) from None


def end_of(lasting: str | None, until: str | None, now: datetime) -> datetime | None:
    """Return the moment that --for or --until says, None without either.  Raises WrongUse."""
    if lasting is not None and until is not None:
        raise WrongUse("give --for or --until, not both")
    try:
        if lasting is not None:
            end = now + duration_of(lasting)
        elif until is not None:
            end = moment_of(until, now)
        else:
            return None
    except OverflowError:
        raise WrongUse("that is later than any time that can be kept") from None
    if end <= now:
        raise WrongUse("that time has passed")
    return end
