"""Quiet hours: when the wall clock of a person forbids to send, whatever that clock does.

A clock that is put forward or back can end quiet hours early, begin them late, or pass through
them twice.  So no time of day is ever turned into an instant: from an instant we go on as the
clock does, until it shows what we look for or is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Protocol
from zoneinfo import ZoneInfo

from pipeline.errors import Permanent

_DAY = timedelta(days=1)
#: No place has changed its clock twice within this.
_PROBE = timedelta(hours=1)


class Quiet(Protocol):
    """Hours of the wall clock, from `start` up to `end`; the same time twice is none."""

    @property
    def start(self) -> time: ...
    @property
    def end(self) -> time: ...


def quiet_until(instant: datetime, zone_name: str, quiet: Quiet | None) -> datetime | None:
    """Return the first instant, in UTC, that is not quiet any more; None if `instant` is not.

    Raises Permanent if there is no such time zone.
    """
    zone = zone_of(zone_name)
    if quiet is None or not _is_quiet(instant, zone, quiet):
        return None
    return _first(instant, zone, quiet, is_quiet=False)


def next_allowed(
    instant: datetime, zone_name: str, quiet: Quiet | None, margin: timedelta = timedelta(0)
) -> datetime:
    """Return the first instant, in UTC and not before `instant`, at which a message may go out.

    For `margin` from then on it is not quiet either: a message that is handed over just before
    quiet hours arrives in them.  The margin must be shorter than what plans must leave of a day.
    Raises Permanent if there is no such time zone.
    """
    zone, found = zone_of(zone_name), instant.astimezone(UTC)
    if quiet is None or quiet.start == quiet.end:
        return found
    while True:
        begins = _first(found, zone, quiet, is_quiet=True)
        if begins > found and begins - found >= margin:
            return found
        found = _first(begins, zone, quiet, is_quiet=False)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.  Raises Permanent if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # unknown, or no name of a zone at all
        raise Permanent(
            "the time zone of the contact, the plan or the user is not known; correct it"
        ) from None


def _is_quiet(instant: datetime, zone: ZoneInfo, quiet: Quiet) -> bool:
    clock = instant.astimezone(zone).time()
    if quiet.start <= quiet.end:
        return quiet.start <= clock < quiet.end
    return clock >= quiet.start or clock < quiet.end


def _first(instant: datetime, zone: ZoneInfo, quiet: Quiet, *, is_quiet: bool) -> datetime:
    """Return the first instant from `instant` on that is quiet, or the first that is not."""
    moment, shown = instant.astimezone(UTC), quiet.start if is_quiet else quiet.end
    while _is_quiet(moment, zone, quiet) != is_quiet:
        then = moment + _until_shown(moment.astimezone(zone), shown)
        moment = _clock_change(moment, then, zone) or then
    return moment


def _until_shown(clock: datetime, shown: time) -> timedelta:
    """Return how long it is until a clock that nobody changes shows a time."""
    wanted = datetime.combine(clock.date(), shown)
    left = wanted - clock.replace(tzinfo=None)
    return left if left > timedelta(0) else left + _DAY


def _clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the clock is put forward or back first, after `start` and up to `end`."""
    probe = start
    while probe < end:
        before, probe = probe, min(probe + _PROBE, end)
        if _offset(before, zone) != _offset(probe, zone):
            return _change_between(before, probe, zone)
    return None


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second in which the clock is changed."""
    offset = partial(_offset, zone=zone)
    low, high = int(before.timestamp()), -int(-after.timestamp() // 1)
    old = offset(before)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(datetime.fromtimestamp(middle, UTC)) == old:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()
