"""Working hours: staged mail is deleted only while its user is there to see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

_DEFAULT_START, _DEFAULT_END = 9, 17
#: A clock that skips an hour, or a whole day, may leave days without working hours.
_DAYS_LOOKED_AT = 8


def next_execution(
    expires_at: datetime, now: datetime, preferences: Mapping[str, Any], zone: tzinfo
) -> datetime:
    """Return the first moment within working hours that is before neither of the two.

    They are whole hours of the local clock, from start to end; over midnight if the end
    comes first, always if both are the same.
    """
    earliest = max(expires_at, now).astimezone(UTC)
    start = int(preferences.get("working_hours_start", _DEFAULT_START))
    end = int(preferences.get("working_hours_end", _DEFAULT_END))
    if within(earliest, start, end, zone):
        return earliest
    today = earliest.astimezone(zone).date()
    for days in range(_DAYS_LOOKED_AT):
        opening = _at(today + timedelta(days=days), start, zone)
        if opening >= earliest and within(opening, start, end, zone):
            return opening
    return earliest


def within(moment: datetime, start: int, end: int, zone: tzinfo) -> bool:
    """Return whether `moment` is between the hours of the local clock."""
    hour = moment.astimezone(zone).hour
    if start <= end:
        return start == end or start <= hour < end
    return hour >= start or hour < end


def zone_of(user: Mapping[str, Any], mailbox: Mapping[str, Any]) -> tzinfo:
    """Return the time zone that the user has set, else that of the mailbox, else UTC."""
    for name in ((user.get("preferences") or {}).get("time_zone"), mailbox.get("time_zone")):
        try:
            if name:
                return ZoneInfo(name)
        except (ValueError, OSError, KeyError):  # unknown, or no name of a zone at all
            continue
    return UTC


def _at(day: date, hour: int, zone: tzinfo) -> datetime:
    """Return when the local clock first shows the hour; where it skips that, when it has."""
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)
