"""Whether a calendar event is inside of the window that we keep."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr


def ends_after(event: dict[str, Any], since: datetime) -> bool:
    """Return whether `event`, or the last instance of its series, ends after `since`.

    A cancelled instance, which may have no end, counts by its original start.
    A recurrence rule that cannot be read counts as going on.
    """
    if event.get("recurrence"):
        return _series_goes_on(event, since)
    moment = event.get("end") or event.get("originalStartTime") or event.get("start")
    return moment is None or _instant(moment) > since


def _instant(moment: dict[str, Any]) -> datetime:
    """Return a start or end as an aware datetime; a date is its midnight in UTC."""
    if moment.get("dateTime"):
        parsed = datetime.fromisoformat(moment["dateTime"])
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=_zone(moment))
    return datetime.combine(date.fromisoformat(moment["date"]), time(), UTC)


def _zone(moment: dict[str, Any]) -> ZoneInfo:
    try:
        return ZoneInfo(moment.get("timeZone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _series_goes_on(event: dict[str, Any], since: datetime) -> bool:
    rules = [line for line in event["recurrence"] if isinstance(line, str)]
    if not any("UNTIL=" in line or "COUNT=" in line for line in rules):
        return True
    start, end = _instant(event["start"]), _instant(event["end"])
    all_day = not event["start"].get("dateTime")
    # Rules repeat in local time, and a date's UNTIL has no zone to compare with.
    first = start.replace(tzinfo=None) if all_day else start.astimezone(_zone(event["start"]))
    threshold = since - max(end - start, timedelta())
    if all_day:
        threshold = threshold.astimezone(UTC).replace(tzinfo=None)
    try:
        series = rrulestr("\n".join(rules), dtstart=first)
        return series.after(threshold) is not None
    except (ValueError, TypeError):
        return True
