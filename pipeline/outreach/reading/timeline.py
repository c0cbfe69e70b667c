"""What happened to a contact in a campaign, in the order of time, and what is to happen next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from models import EnrollmentTransition, OutboundMessage, OutreachEvent, ScheduledAction
from models.outreach import ACTION_OPEN
from pipeline.outreach.reading import enrollments, happenings, names
from pipeline.outreach.reading.scheduled import in_words
from pipeline.stores import Row, collection

Kind = Literal["transition", "message", "event", "scheduled"]
#: What happened at the same moment stands in this order: the message, its events, what they led to.
_ORDER: dict[str, int] = {"message": 0, "event": 1, "transition": 2, "scheduled": 3}
#: What was learnt of so much later than it happened says so.
_LATE = timedelta(minutes=1)
#: More of anything is not shown of one enrollment.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, or is to happen (`kind` "scheduled"), at `at`.

    `text` is a sentence; `because` says why a scheduled one is due then, or what came of an
    event that led nowhere.  `tone` is that of the pages: ok, info, warn, bad, idle.
    `recorded_at` is when we learnt of it, if that was much later.
    """

    at: datetime
    kind: Kind
    text: str
    tone: str = "idle"
    node_id: str = ""
    message_id: str = ""
    because: str = ""
    recorded_at: datetime | None = None


def of(tenant_id: str, enrollment_id: str, *, reveal: bool = False) -> list[Moment]:
    """Return what happened to an enrollment, the first first, then what is scheduled.

    Raises Gone.
    """
    enrollments.find(tenant_id, enrollment_id)
    whose: Row = {"enrollment_id": enrollment_id, "tenant_id": tenant_id}
    messages = {row["_id"]: row for row in _rows(OutboundMessage, whose, "created_at")}
    events = {row["_id"]: row for row in _rows(OutreachEvent, whose, "occurred_at")}
    transitions = _rows(EnrollmentTransition, whose, "state_version")
    told = [_of_transition(row, events, messages) for row in transitions]
    used = {row.get("event_id") for row in transitions}
    told += [
        _of_event(row, messages, reveal=reveal) for row in events.values() if row["_id"] not in used
    ]
    told += [_of_message(row, reveal=reveal) for row in messages.values()]
    open_ones = whose | {"status": {"$in": list(ACTION_OPEN)}}
    told += [_of_action(row) for row in _rows(ScheduledAction, open_ones, "due_at")]
    sent = {row["_id"]: row["sent_at"] for row in messages.values() if row.get("sent_at")}
    return sorted(told, key=lambda one: _place(one, sent))


def _place(one: Moment, sent: Mapping[str, datetime]) -> tuple[bool, datetime, int]:
    """Return where in the story something stands; what is alike stays in order, as transitions do.

    Providers tell whole seconds: nothing happened to a message before it was sent.
    """
    return one.kind == "scheduled", max(one.at, sent.get(one.message_id, one.at)), _ORDER[one.kind]


def _rows(model: type[Any], query: Row, order: str) -> list[Row]:
    return list(collection(model).find(query).sort(order, 1).limit(_MOST))


def _of_transition(row: Row, events: dict[str, Row], messages: dict[str, Row]) -> Moment:
    event = events.get(row.get("event_id") or "")
    message = messages.get(event["message_id"]) if event else None
    text = happenings.transition(row, event, message)
    return Moment(
        at=row["occurred_at"],
        kind="transition",
        text=text,
        tone=happenings.tone_of_status(row),
        node_id=row.get("to_node") or "",
        message_id=event["message_id"] if event else "",
        recorded_at=_late(row["occurred_at"], row["recorded_at"]),
    )


def _of_event(row: Row, messages: dict[str, Row], *, reveal: bool) -> Moment:
    message = messages.get(row["message_id"])
    return Moment(
        at=row["occurred_at"],
        kind="event",
        text=happenings.event(row, message, reveal=reveal),
        tone=happenings.tone_of_event(row["type"]),
        node_id=row["node_id"],
        message_id=row["message_id"],
        because=row.get("effect") or "",
        recorded_at=_late(row["occurred_at"], row["received_at"]),
    )


def _of_message(row: Row, *, reveal: bool) -> Moment:
    text, tone, at = happenings.message(row)
    to = names.address(row.get("to_address"), reveal=reveal)
    return Moment(
        at=at,
        kind="message",
        text=f"{text} to {to}" if to and row["state"] == "sent" else text,
        tone=tone,
        node_id=row["node_id"],
        message_id=row["_id"],
        because=row.get("reconciliation") or "",
    )


def _of_action(row: Row) -> Moment:
    return Moment(
        at=row["due_at"],
        kind="scheduled",
        text=in_words(row),
        tone="info",
        node_id=row["node_id"],
        because=row.get("because") or "",
    )


def _late(happened: datetime, known: datetime) -> datetime | None:
    return known if known - happened > _LATE else None
