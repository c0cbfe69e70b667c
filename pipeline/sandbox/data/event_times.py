"""Calendar times: timed or all-day, and the occurrences of a recurring event.

All-day ends are exclusive; a timed value carries an offset and an IANA zone:
https://developers.google.com/workspace/calendar/api/v3/reference/events#start
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

Item: TypeAlias = dict[str, Any]
#: An `EventDateTime`: either `date`, or `dateTime` and `timeZone`.
When: TypeAlias = dict[str, str]


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as Google writes `created` and `completed`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def at(moment: datetime, zone: str) -> When:
    """A timed value, shown in its own zone; an offset of nothing is written `Z`."""
    text = moment.astimezone(ZoneInfo(zone)).isoformat()
    return {"dateTime": text.replace("+00:00", "Z"), "timeZone": zone}


def on(day: date) -> When:
    """An all-day value: a date without any zone."""
    return {"date": day.isoformat()}


def is_all_day(when: When) -> bool:
    """Whether a value is a date rather than a point in time."""
    return "date" in when


def wall_clock(when: When) -> datetime:
    """The value as a datetime: aware if it is timed, naive midnight if it is all-day."""
    if is_all_day(when):
        return datetime.fromisoformat(when["date"])
    return datetime.fromisoformat(when["dateTime"]).astimezone(ZoneInfo(when["timeZone"]))


def moment_of(when: When) -> datetime:
    """The value as a point in time, for comparing; an all-day one counts as midnight UTC."""
    value = wall_clock(when)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def timed_span(start: datetime, duration: timedelta, zone: str) -> dict[str, When]:
    """`start` and `end` of a timed event."""
    return {"start": at(start, zone), "end": at(start + duration, zone)}


def all_day_span(first_day: date, days: int) -> dict[str, When]:
    """`start` and exclusive `end` of an event that lasts whole days."""
    return {"start": on(first_day), "end": on(first_day + timedelta(days=days))}


def local_moment(day: date, hour: int, minute: int, zone: str) -> datetime:
    """A wall-clock time on a day in a zone."""
    return datetime.combine(day, time(hour, minute), ZoneInfo(zone))


def compact(when: When) -> str:
    """The value as it stands in instance ids: `20261103T090000Z` or `20261103`."""
    value = wall_clock(when)
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") if value.tzinfo else f"{value:%Y%m%d}"


def exclusion(when: When) -> str:
    """The EXDATE line that drops the occurrence at this time."""
    if is_all_day(when):
        return f"EXDATE;VALUE=DATE:{compact(when)}"
    return f"EXDATE;TZID={when['timeZone']}:{wall_clock(when):%Y%m%dT%H%M%S}"


def _like(template: When, value: datetime) -> When:
    return on(value.date()) if is_all_day(template) else at(value, template["timeZone"])


def _every_original_start(master: Item, after: datetime) -> Iterator[When]:
    start: When = master["start"]
    first = wall_clock(start)
    lines: list[str] = master["recurrence"]
    excluded = {line for line in lines if line.startswith("EXDATE")}
    rule = rrulestr(next(line for line in lines if line.startswith("RRULE")), dtstart=first)
    bound = after.replace(tzinfo=None) if first.tzinfo is None else after
    for value in rule.xafter(bound, inc=True):
        when = _like(start, value)
        if exclusion(when) not in excluded:
            yield when


def original_starts(master: Item, after: datetime, limit: int) -> list[When]:
    """The first `limit` starts of a recurring event at or after a moment, EXDATE left out."""
    return list(islice(_every_original_start(master, after), limit))


def instance_id(master_id: str, original_start: When) -> str:
    """The id of one occurrence: `<master>_20261103T090000Z`."""
    return f"{master_id}_{compact(original_start)}"


def shifted(event: Item, shift: timedelta) -> dict[str, When]:
    """`start` and `end` of an event that moves by `shift` on the wall clock."""
    return {edge: _like(event[edge], wall_clock(event[edge]) + shift) for edge in ("start", "end")}


def moved_instance(master: Item, original_start: When, shift: timedelta) -> Item:
    """An exception: the whole event again, at another time than the series would give it."""
    delay = wall_clock(original_start) - wall_clock(master["start"]) + shift
    copied = {key: value for key, value in master.items() if key not in ("recurrence", "created")}
    return copied | {
        "id": instance_id(master["id"], original_start),
        "recurringEventId": master["id"],
        "originalStartTime": original_start,
        **shifted(master, delay),
    }


def cancelled_instance(master: Item, original_start: When) -> Item:
    """A cancelled occurrence, with only the fields that Google promises.

    Rule: https://developers.google.com/workspace/calendar/api/v3/reference/events#status
    """
    return {
        "id": instance_id(master["id"], original_start),
        "recurringEventId": master["id"],
        "originalStartTime": original_start,
        "status": "cancelled",
    }
