"""Calendar v3, read side: calendarList, calendars and events.

Rules: https://developers.google.com/workspace/calendar/api/guides/sync and the reference of
https://developers.google.com/workspace/calendar/api/v3/reference/events/list
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calendar_events import get_event, list_events
from pipeline.sandbox.calendar_sync import (
    check_restrictions,
    full_sync_required,
    next_sync_token,
    require_shown,
    start,
)
from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply, dump_json
from pipeline.sandbox.listing import BY_ID, BY_REV, Selection
from pipeline.sandbox.paging import list_rows, splice
from pipeline.sandbox.stamps import CALENDAR

_AUTH = "https://www.googleapis.com/auth/calendar"
_ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")


def _scopes(*names: str) -> frozenset[str]:
    return frozenset((_AUTH, f"{_AUTH}.readonly", *(f"{_AUTH}.{name}" for name in names)))


def list_calendars(call: Call) -> Reply:
    """https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list"""
    check_restrictions(call, ("minAccessRole", "showOwnOrganizationOnly"))
    require_shown(call, "showDeleted")
    require_shown(call, "showHidden")
    size = call.number("maxResults", 100, 250)
    stream_n = _calendars_stream(call)
    position = start(call, stream_n)
    columns = "body"
    if position.since_rev is not None:
        selection = Selection(stream_n, BY_REV, "rev > ?", (position.since_rev,))
    else:
        condition, values = _wanted_calendars(call)
        selection = Selection(stream_n, BY_ID, condition, values)
    listed = list_rows(call, columns, selection, position, size)
    wrapper = {"kind": '"calendar#calendarList"', "etag": f'"\\"p{position.first_rev}\\""'}
    if listed.next_page_token is not None:
        wrapper["nextPageToken"] = dump_json(listed.next_page_token)
    else:
        wrapper["nextSyncToken"] = dump_json(next_sync_token(call, stream_n, position))
    return Reply.of(splice(wrapper, "items", [row[0] for row in listed.rows]))


def _wanted_calendars(call: Call) -> tuple[str, tuple[Any, ...]]:
    condition = "1 = 1" if call.flag("showDeleted", False) else "live = 1"
    if not call.flag("showHidden", False):
        condition += " AND instr(tags, ',hidden,') = 0"
    role = call.text("minAccessRole")
    if role is None:
        return condition, ()
    if role not in _ROLES:
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid", f"Invalid string value: '{role}'.")
    enough = [f",{name}," for name in _ROLES[_ROLES.index(role) :]]
    matches = " OR ".join("instr(tags, ?) > 0" for _ in enough)
    return f"{condition} AND ({matches})", tuple(enough)


def get_calendar_entry(call: Call) -> Reply:
    return Reply.of(_entry(call))


def get_calendar(call: Call) -> Reply:
    """The calendar itself: what does not depend on who looks."""
    entry = json.loads(_entry(call))
    shared = ("etag", "id", "summary", "description", "location", "timeZone")
    body = {"kind": "calendar#calendar"} | {name: entry[name] for name in shared if name in entry}
    for name in ("conferenceProperties", "dataOwner"):
        if name in entry:
            body[name] = entry[name]
    return Reply.of(body)


def _entry(call: Call) -> str:
    from_list = "SELECT body FROM items WHERE stream_n = ? AND live = 1 AND"
    wanted, stream_n = call.path_values["calendarId"], _calendars_stream(call)
    if wanted == "primary":
        row = call.store.database.row(f"{from_list} instr(tags, ',primary,') > 0", stream_n)
    else:
        row = call.store.database.row(f"{from_list} item_id = ?", stream_n, wanted)
    if row is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "notFound", "Not Found")
    return str(row[0])


def _calendars_stream(call: Call) -> int:
    stream_n = call.store.stream_n(call.user, CALENDAR, "calendars")
    assert stream_n is not None  # made with the user
    return stream_n


_LIST = "/calendar/v3/users/me/calendarList"
_CALENDAR = "/calendar/v3/calendars/{calendarId}"
EVENT_SCOPES = _scopes("events", "events.readonly")
LIST_SCOPES = _scopes("calendarlist", "calendarlist.readonly")


def _method(name: str, path: str, scopes: frozenset[str], handler: Handler) -> Method:
    return Method("calendar", name, "GET", path, scopes, handler, expired=full_sync_required)


METHODS = (
    _method("calendarList.list", _LIST, LIST_SCOPES, list_calendars),
    _method("calendarList.get", _LIST + "/{calendarId}", LIST_SCOPES, get_calendar_entry),
    _method("calendars.get", _CALENDAR, _scopes("calendars", "calendars.readonly"), get_calendar),
    _method("events.list", _CALENDAR + "/events", EVENT_SCOPES, list_events),
    _method("events.get", _CALENDAR + "/events/{eventId}", EVENT_SCOPES, get_event),
)
