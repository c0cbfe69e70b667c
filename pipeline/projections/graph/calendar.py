"""Google Calendar in the graph.

Events: https://developers.google.com/workspace/calendar/api/v3/reference/events
Calendars: https://developers.google.com/workspace/calendar/api/v3/reference/calendarList
"""

from __future__ import annotations

from typing import Any

from pipeline.projections.graph.addresses import normalise
from pipeline.projections.graph.fields import (
    day,
    epoch_ms,
    flag,
    mapping,
    mappings,
    moment,
    name,
    present,
    sibling_key,
    text,
    texts,
)
from pipeline.projections.graph.model import Drawing, Edge, NodeId, Properties, Shape

FIELDS: tuple[str, ...] = (
    "summary", "summaryOverride", "description", "location", "timeZone", "accessRole", "primary",
    "hidden", "status", "eventType", "visibility", "transparency", "start", "end", "recurrence",
    "recurringEventId", "originalStartTime", "attendees", "attendeesOmitted", "organizer",
    "iCalUID", "hangoutLink", "htmlLink", "updated",
)  # fmt: skip


def calendar(node: NodeId, _parent_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of a calendar."""
    properties = present(
        summary=text(item.get("summaryOverride")) or text(item.get("summary")),
        description=text(item.get("description")),
        location=text(item.get("location")),
        time_zone=name(item.get("timeZone")),
        access_role=name(item.get("accessRole")),
        primary=flag(item.get("primary")),
        hidden=flag(item.get("hidden")),
    )
    return Drawing(node, properties)


def event(node: NodeId, calendar_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of an event, also of an instance that differs from its series."""
    properties = _event(node, calendar_id, item)
    span = _span(mapping(item.get("start")), mapping(item.get("end")))
    return Drawing(node, properties | span, _people(item))


SHAPES: tuple[Shape, ...] = (
    Shape("calendars", "Calendar", calendar),
    Shape("events/", "Event", event),
)


def _event(node: NodeId, calendar_id: str, item: dict[str, Any]) -> Properties:
    original = mapping(item.get("originalStartTime"))
    return present(
        calendar_key=calendar_id,
        series_key=sibling_key(node, calendar_id, item.get("recurringEventId")),
        ical_uid=text(item.get("iCalUID")),
        status=name(item.get("status")),
        event_type=name(item.get("eventType")),
        summary=text(item.get("summary")),
        description=text(item.get("description")),
        location=text(item.get("location")),
        visibility=name(item.get("visibility")),
        transparency=name(item.get("transparency")),
        recurrence=text("\n".join(texts(item.get("recurrence")))),
        original_start_at=moment(original.get("dateTime"), original.get("timeZone")),
        original_start_date=day(original.get("date")),
        attendees_omitted=flag(item.get("attendeesOmitted")),
        conference_url=text(item.get("hangoutLink")),
        url=text(item.get("htmlLink")),
        updated_at=moment(item.get("updated")),
    )


def _span(start: dict[str, Any], end: dict[str, Any]) -> Properties:
    """Return when an event is.

    An all-day event has dates, which mean no zone, and ends before `end_date`;
    the others have times.  `start_ms` and `end_ms` order both kinds.
    """
    start_date, end_date = day(start.get("date")), day(end.get("date"))
    start_at = moment(start.get("dateTime"), start.get("timeZone"))
    end_at = moment(end.get("dateTime"), end.get("timeZone"))
    first, last = start_at or start_date, end_at or end_date
    return present(
        all_day=None if first is None else start_at is None,
        start_at=start_at,
        start_zone=name(start.get("timeZone")),
        start_date=start_date,
        start_ms=None if first is None else epoch_ms(first),
        end_at=end_at,
        end_zone=name(end.get("timeZone")),
        end_date=end_date,
        end_ms=None if last is None else epoch_ms(last),
    )


def _people(item: dict[str, Any]) -> list[Edge]:
    """Return one edge per attendee with an address, and one to the organizer."""
    attendees: dict[str, Edge] = {}
    for attendee in mappings(item.get("attendees")):
        address = normalise(attendee.get("email"))
        if address is not None and address not in attendees:
            attendees[address] = Edge("ATTENDED_BY", address, _attendance(attendee))
    organizer = normalise(mapping(item.get("organizer")).get("email"))
    organized = [] if organizer is None else [Edge("ORGANIZED_BY", organizer, {})]
    return [*attendees.values(), *organized]


def _attendance(attendee: dict[str, Any]) -> Properties:
    return present(
        response=name(attendee.get("responseStatus")),
        optional=flag(attendee.get("optional")),
        organizer=flag(attendee.get("organizer")),
        resource=flag(attendee.get("resource")),
        name=name(attendee.get("displayName")),
    )
