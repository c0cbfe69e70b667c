"""GET /v3/messages: the Email Activity feed, which most accounts have not paid for.

https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-email-activity-api
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.clock import rfc3339
from pipeline.sandbox.outreach import SENDGRID_API
from pipeline.sandbox.outreach.inbox import Inbox
from pipeline.sandbox.outreach.messages import Message
from pipeline.sandbox.outreach.recipients import Arrival
from pipeline.sandbox.outreach.sendgrid.errors import Problem, bad_request, forbidden
from pipeline.sandbox.outreach.sendgrid.events import Events
from pipeline.sandbox.settings import Settings

_MOST, _USUAL = 1000, 10
_CONDITION = re.compile(
    r"""\(?\s*(?:unique_args\[\s*['"](?P<arg>[^'"]+)['"]\s*\]|(?P<field>\w+))"""
    r"""\s*(?P<operator>=|LIKE)\s*"(?P<value>[^"]*)"\s*\)?""",
    re.IGNORECASE,
)
_AND = re.compile(r"\s+AND\s+", re.IGNORECASE)
_FIELDS: dict[str, Callable[[Message], str]] = {
    "msg_id": lambda message: str(message.details["sg_message_id"]),
    "to_email": lambda message: message.to,
    "from_email": lambda message: message.from_,
    "subject": lambda message: message.subject,
    "status": lambda message: _status(message),
}

Condition = Callable[[Message], bool]


class Activity:
    """Finds mail by what was said of it when it was sent."""

    def __init__(self, inbox: Inbox, events: Events) -> None:
        self._inbox, self._events = inbox, events
        self.settings = Settings()

    def search(self, call: Call) -> Reply:
        if not self.settings.sendgrid_activity_enabled:
            raise forbidden()
        limit = call.number("limit", _USUAL, _MOST)
        query = call.text("query")
        conditions = [] if query is None else _conditions(query)
        found = [
            message
            for message in reversed(self._inbox.messages(custom=_arguments(query)))
            if message.provider == SENDGRID_API and all(fits(message) for fits in conditions)
        ]
        return Reply.of({"messages": [self._described(message) for message in found[:limit]]})

    def _described(self, message: Message) -> dict[str, Any]:
        counts = self._events.counts(message.details["sg_message_id"])
        return {
            "from_email": message.from_,
            "msg_id": message.details["sg_message_id"],
            "subject": message.subject,
            "to_email": message.to,
            "status": _status(message),
            "opens_count": counts.get("open", 0),
            "clicks_count": counts.get("click", 0),
            "last_event_time": rfc3339(message.status_ms)[:19] + "Z",
        }


def _status(message: Message) -> str:
    if message.status == Arrival.DELIVERED:
        return "delivered"
    failed = (Arrival.BOUNCED, Arrival.BLOCKED, Arrival.DROPPED)
    return "not_delivered" if message.status in failed else "processing"


def _matches(query: str) -> list[re.Match[str]]:
    found = [_CONDITION.fullmatch(part.strip()) for part in _AND.split(query.strip())]
    if not all(found):
        raise bad_request([Problem("invalid query", "query")])
    return [match for match in found if match is not None]


def _arguments(query: str | None) -> dict[str, str]:
    """The unique args that a query names with their values."""
    return {
        match["arg"]: match["value"]
        for match in ([] if query is None else _matches(query))
        if match["arg"] and match["operator"] == "="
    }


def _conditions(query: str) -> list[Condition]:
    return [_condition(match) for match in _matches(query)]


def _condition(match: re.Match[str]) -> Condition:
    field, wanted = match["field"], match["value"]
    if field is not None and field not in _FIELDS:
        raise bad_request([Problem(f"unknown field '{field}' in query", "query")])

    def fits(message: Message) -> bool:
        value = _FIELDS[field](message) if field else str(message.custom.get(match["arg"], ""))
        if match["operator"] == "=":
            return value == wanted
        pattern = ".*".join(re.escape(part) for part in wanted.split("%"))
        return re.fullmatch(pattern, value) is not None

    return fits
