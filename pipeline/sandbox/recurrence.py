"""When a calendar event happens: its first start and last end, and its occurrences in a window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rruleset, rrulestr

from pipeline.sandbox.clock import epoch_ms

#: A series with more occurrences than this is treated as endless.
_LONGEST_SERIES = 5000
_DATE_ONLY = re.compile(r"^\d{8}$")


def span_ms(event: dict[str, Any]) -> tuple[int | None, int | None]:
    """(first start, last end) in epoch milliseconds.

    The end is None for an endless series, both are None for an event without a start.
    All-day dates count from midnight UTC.
    """
    start = _moment(event.get("start"))
    if start is None:
        return None, None
    length = _length(event, start)
    if not event.get("recurrence"):
        return _ms(start), _ms(start + length)
    last = _last_start(_series(event, start), start)
    return _ms(start), None if last is None else _ms(last + length)


def happens_between(event: dict[str, Any], after_ms: int, before_ms: int) -> bool:
    """Whether a recurring event has an occurrence that ends after `after_ms` and starts before
    `before_ms`."""
    start = _moment(event.get("start"))
    if start is None:
        return False
    length = _length(event, start)
    zone = start.tzinfo or UTC
    earliest = datetime.fromtimestamp(after_ms / 1000, zone) - length
    latest = datetime.fromtimestamp(before_ms / 1000, zone)
    if start.tzinfo is None:
        earliest, latest = earliest.replace(tzinfo=None), latest.replace(tzinfo=None)
    found = _series(event, start).after(earliest)
    return found is not None and found < latest


def _length(event: dict[str, Any], start: datetime) -> timedelta:
    end = _moment(event.get("end"))
    if end is None or (end.tzinfo is None) != (start.tzinfo is None):
        return timedelta()
    return max(end - start, timedelta())


def _moment(value: Any) -> datetime | None:
    """A start or end object as a datetime: in its named zone when timed, naive when all-day."""
    if not isinstance(value, dict):
        return None
    if value.get("date"):
        return datetime.combine(date.fromisoformat(value["date"]), time())
    if not value.get("dateTime"):
        return None
    moment = datetime.fromisoformat(value["dateTime"])
    zone = _zone(value.get("timeZone"))
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone or UTC)
    return moment.astimezone(zone) if zone is not None else moment


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _zone_or_utc(name: str) -> tzinfo:
    return _zone(name) or UTC


def _series(event: dict[str, Any], start: datetime) -> rruleset:
    lines = list(_aligned(event["recurrence"], aware=start.tzinfo is not None))
    found = rrulestr("\n".join(lines), dtstart=start, forceset=True, tzids=_zone_or_utc)
    assert isinstance(found, rruleset)  # forceset: its documented result
    return found


def _aligned(lines: list[str], *, aware: bool) -> Iterator[str]:
    """RRULE lines whose UNTIL is as aware as the start is, which dateutil insists on."""
    for line in lines:
        if not line.startswith("RRULE"):
            if not (line.startswith("EXDATE") and aware == ("VALUE=DATE:" in line)):
                yield line  # an all-day exclusion of a timed series excludes nothing
            continue
        yield ";".join(_aligned_part(part, aware) for part in line.split(";"))


def _aligned_part(part: str, aware: bool) -> str:
    name, _, value = part.partition("=")
    if name.removeprefix("RRULE:") != "UNTIL":
        return part
    if not aware:
        return f"{name}={value[:8]}"
    if _DATE_ONLY.match(value):
        return f"{name}={value}T235959Z"
    return f"{name}={value.removesuffix('Z')}Z"


def _last_start(series: rruleset, start: datetime) -> datetime | None:
    rules = getattr(series, "_rrule", [])
    if any(rule._until is None and rule._count is None for rule in rules):
        return None
    last = start
    for count, occurrence in enumerate(series):
        if count >= _LONGEST_SERIES:
            return None
        last = occurrence
    return last


def _ms(moment: datetime) -> int:
    return epoch_ms(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
