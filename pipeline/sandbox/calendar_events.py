"""Calendar v3 events: full and incremental listings, single events, the free/busy view."""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calendar_sync import (
    check_restrictions,
    next_sync_token,
    require_shown,
    start,
)
from pipeline.sandbox.calls import ApiError, Call, Reply, dump_json
from pipeline.sandbox.clock import rfc3339
from pipeline.sandbox.listing import BY_ID, BY_REV, Order, Selection
from pipeline.sandbox.paging import Position, list_rows, splice
from pipeline.sandbox.recurrence import happens_between
from pipeline.sandbox.stamps import CALENDAR

_EVENT_TYPES = frozenset(
    ("birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
)
#: What somebody who may only see free and busy is shown of an event.
_FREE_BUSY_FIELDS = (
    *("kind", "etag", "id", "status", "updated", "iCalUID", "sequence", "start", "end"),
    *("recurrence", "recurringEventId", "originalStartTime", "transparency", "eventType"),
)
_UPDATED_MIN_DAYS = 30


@dataclass(frozen=True)
class Calendar:
    """A calendar as this user has it: its stream and its calendar list entry."""

    stream_n: int
    entry: dict[str, Any]
    updated_ms: int

    @property
    def free_busy_only(self) -> bool:
        return bool(self.entry.get("accessRole") == "freeBusyReader")


def find_calendar(call: Call, calendar_id: str) -> Calendar:
    """Raises 404 when it is not, or no longer, in the user's list."""
    named = "l.item_id = ?" if calendar_id != "primary" else "instr(l.tags, ',primary,') > 0"
    values = (calendar_id,) if calendar_id != "primary" else ()
    row = call.store.database.row(
        "SELECT e.n, l.body, e.updated_ms FROM streams s"
        " JOIN items l ON l.stream_n = s.n AND l.live = 1"
        " JOIN streams e ON e.user_n = s.user_n AND e.source = s.source"
        " AND e.stream = 'events/' || l.item_id"
        f" WHERE s.user_n = ? AND s.source = ? AND s.stream = 'calendars' AND {named}",
        *(call.user.n, CALENDAR, *values),
    )
    if row is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "notFound", "Not Found")
    return Calendar(row[0], json.loads(row[1]), row[2])


def list_events(call: Call) -> Reply:
    """https://developers.google.com/workspace/calendar/api/v3/reference/events/list"""
    calendar = find_calendar(call, call.path_values["calendarId"])
    check_restrictions(call)
    require_shown(call, "showDeleted")
    _refuse_expansion(call)
    size = call.number("maxResults", 250, 2500)
    position = start(call, calendar.stream_n)
    selection = _selection(call, calendar, position)
    listed = list_rows(call, "body", selection, position, size)
    wrapper = _wrapper(calendar, position)
    if listed.next_page_token is not None:
        wrapper["nextPageToken"] = dump_json(listed.next_page_token)
    elif not call.text("orderBy") and not call.text("q"):
        wrapper["nextSyncToken"] = dump_json(next_sync_token(call, calendar.stream_n, position))
    items = _kept(call, [row[0] for row in listed.rows])
    return Reply.of(splice(wrapper, "items", _views(call, calendar, items)))


def get_event(call: Call) -> Reply:
    """Cancelled events are found as well, with their status."""
    calendar = find_calendar(call, call.path_values["calendarId"])
    row = call.store.database.row(
        "SELECT body FROM items WHERE stream_n = ? AND item_id = ?",
        *(calendar.stream_n, call.path_values["eventId"]),
    )
    if row is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "notFound", "Not Found")
    return Reply.of(_views(call, calendar, [row[0]])[0])


def free_busy_view(body: str) -> str:
    """The event without anything that tells what it is about."""
    event = json.loads(body)
    kept = {name: event[name] for name in _FREE_BUSY_FIELDS if name in event}
    if event["status"] != "cancelled":
        kept["visibility"] = "private"
    return dump_json(kept)


def _refuse_expansion(call: Call) -> None:
    if call.flag("singleEvents", False):
        message = "The sandbox does not expand recurring events; leave singleEvents at false."
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid", message)
    if call.text("orderBy") not in {None, "updated"}:
        message = "The requested ordering is not available for the particular query."
        raise ApiError(HTTPStatus.BAD_REQUEST, "badRequest", message)


def _selection(call: Call, calendar: Calendar, position: Position) -> Selection:
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *given: Any) -> None:
        conditions.append(condition)
        values.extend(given)

    order = BY_ID
    if position.since_rev is not None:
        order = BY_REV
        add("rev > ?", position.since_rev)
    elif not call.flag("showDeleted", False):
        updated_min = call.when_ms("updatedMin")
        add(
            "live = 1" if updated_min is None else "(live = 1 OR updated_ms >= ?)",
            *(() if updated_min is None else (updated_min,)),
        )
    for condition, given in _time_conditions(call):
        add(condition, given)
    types = call.many("eventTypes")
    if types:
        _check_types(types)
        wanted = " OR ".join("instr(tags, ?) > 0" for _ in types)
        add(f"({wanted} OR tags IN (',', ',cancelled,'))", *(f",{name}," for name in types))
    if call.text("orderBy") == "updated":
        order = Order("updated_ms")
    return Selection(calendar.stream_n, order, " AND ".join(conditions) or "1 = 1", tuple(values))


def _time_conditions(call: Call) -> list[tuple[str, int]]:
    time_min, time_max = call.when_ms("timeMin"), call.when_ms("timeMax")
    if time_min is not None and time_max is not None and time_min >= time_max:
        message = "The specified time range is empty."
        raise ApiError(HTTPStatus.BAD_REQUEST, "timeRangeEmpty", message, domain="calendar")
    updated_min = call.when_ms("updatedMin")
    if updated_min is not None:
        oldest_ms = call.store.clock.now_ms() - _UPDATED_MIN_DAYS * 86_400_000
        if updated_min < oldest_ms:
            message = "The requested minimum modification time lies too far in the past."
            raise ApiError(
                *(HTTPStatus.GONE, "updatedMinTooLongAgo", message),
                domain="calendar",
                location=("parameter", "updatedMin"),
            )
    bounds = (
        ("(ends_ms IS NULL OR ends_ms > ?)", time_min),
        ("(starts_ms IS NULL OR starts_ms < ?)", time_max),
        ("updated_ms >= ?", updated_min),
    )
    return [(condition, value) for condition, value in bounds if value is not None]


def _check_types(types: list[str]) -> None:
    unknown = sorted(set(types) - _EVENT_TYPES)
    if unknown:
        message = f"Invalid value for: {unknown[0]} is not a valid value"
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalidParameter", message)


Check = Callable[[dict[str, Any]], bool]


def _kept(call: Call, bodies: list[str]) -> list[str]:
    """Those that meet the conditions that need the event itself; a page that loses items to
    them is just shorter."""
    checks = list(_checks(call))
    if not checks:
        return bodies
    return [body for body in bodies if all(check(json.loads(body)) for check in checks)]


def _checks(call: Call) -> Iterator[Check]:
    uid, query = call.text("iCalUID"), call.text("q")
    if uid is not None:
        yield lambda event: bool(event.get("iCalUID") == uid)
    if query is not None:
        yield lambda event: _mentions(event, query)
    for kind in ("private", "shared"):
        for wanted in call.many(f"{kind}ExtendedProperty"):
            yield partial(_has_property, kind, wanted)
    time_min, time_max = call.when_ms("timeMin"), call.when_ms("timeMax")
    if time_min is not None and time_max is not None:
        yield (
            lambda event: not event.get("recurrence") or happens_between(event, time_min, time_max)
        )


def _has_property(kind: str, wanted: str, event: dict[str, Any]) -> bool:
    name, _, value = wanted.partition("=")
    return bool(event.get("extendedProperties", {}).get(kind, {}).get(name) == value)


def _mentions(event: dict[str, Any], query: str) -> bool:
    people = [*event.get("attendees", []), event.get("organizer", {})]
    texts = [event.get(name, "") for name in ("summary", "description", "location")]
    texts += [person.get(name, "") for person in people for name in ("displayName", "email")]
    text = " ".join(texts).casefold()
    return all(word in text for word in query.casefold().split())


def _views(call: Call, calendar: Calendar, bodies: list[str]) -> list[str]:
    if calendar.free_busy_only:
        return [free_busy_view(body) for body in bodies]
    most = call.text("maxAttendees")
    if most is None:
        return bodies
    return [_with_fewer_attendees(body, call.number("maxAttendees", 1, 10**6)) for body in bodies]


def _with_fewer_attendees(body: str, most: int) -> str:
    event = json.loads(body)
    attendees = event.get("attendees", [])
    if len(attendees) <= most:
        return body
    event["attendees"] = [person for person in attendees if person.get("self")]
    event["attendeesOmitted"] = True
    return dump_json(event)


def _wrapper(calendar: Calendar, position: Position) -> dict[str, str]:
    entry = calendar.entry
    shown = {
        "kind": "calendar#events",
        "etag": f'"p{position.first_rev}"',
        "updated": rfc3339(calendar.updated_ms),
        "accessRole": entry.get("accessRole", "owner"),
        "defaultReminders": entry.get("defaultReminders", []),
    }
    shared = ("summary", "description", "timeZone")
    shown |= {name: entry[name] for name in shared if name in entry}
    return {name: dump_json(value) for name, value in shown.items()}
