"""What the Event Webhook tells of a message, as rows.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.database import Database
from pipeline.sandbox.outreach.fetching import MACHINE_AGENT, READER_AGENT
from pipeline.sandbox.outreach.messages import Message
from pipeline.sandbox.outreach.recipients import Act, Arrival
from pipeline.sandbox.outreach.sendgrid.account import Account
from pipeline.sandbox.outreach.sendgrid.webhook import Webhook

_IP = "203.0.113.7"
#: An event that nobody is told of, one that waits, and what becomes of those that waited.
OFF, WAITING, BATCHED = "off", "waiting", "batched"
TOLD, LOST, FAILED = "told", "lost", "failed"

_BOUNCE = {
    "event": "bounce",
    "type": "bounce",
    "status": "5.1.1",
    "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
    "bounce_classification": "Invalid Address",
    "ip": _IP,
    "tls": 1,
}
_BLOCKED = {
    "event": "bounce",
    "type": "blocked",
    "status": "5.7.1",
    "reason": "550 5.7.1 Message rejected because of the reputation of the sending server.",
    "bounce_classification": "Reputation",
    "ip": _IP,
    "tls": 1,
}
_DEFERRED = {
    "event": "deferred",
    "response": "451 4.7.1 Greylisted, please try again later.",
    "attempt": "1",
    "ip": _IP,
    "tls": 1,
}
_ARRIVALS: dict[Arrival, dict[str, Any]] = {
    Arrival.DELIVERED: {"event": "delivered", "response": "250 2.0.0 OK", "ip": _IP, "tls": 1},
    Arrival.BOUNCED: _BOUNCE,
    Arrival.BLOCKED: _BLOCKED,
    Arrival.DEFERRED: _DEFERRED,
    Arrival.DROPPED: {"event": "dropped", "status": "5.0.0", "reason": "Invalid"},
}
_OF_DELIVERY = frozenset(("processed", "delivered", "deferred", "bounce", "dropped"))


@dataclass(frozen=True)
class About:
    """The message that an event is about."""

    address: str
    custom: Mapping[str, Any]
    categories: list[str]
    sg_message_id: str
    smtp_id: str


@dataclass
class Events:
    """Writes events, and tells `wake` inside the transaction when one waits to be told."""

    database: Database
    clock: Clock
    webhook: Webhook
    wake: Callable[[], None] = lambda: None

    def add(self, about: About, event: Mapping[str, Any]) -> None:
        """Note an event now."""
        now_ms, event_id = self.clock.now_ms(), secrets.token_urlsafe(21)
        kind = str(event["event"])
        body = {
            **about.custom,
            "email": about.address,
            "timestamp": now_ms // 1000,
            **({"smtp-id": about.smtp_id} if about.smtp_id and kind in _OF_DELIVERY else {}),
            **({"category": about.categories} if about.categories else {}),
            **event,
            "sg_event_id": event_id,
            **({"sg_message_id": about.sg_message_id} if about.sg_message_id else {}),
        }
        state = WAITING if self.webhook.wants(kind) else OFF
        self.database.run(
            "INSERT INTO sendgrid_events (event, event_id, sg_message_id, at_ms, state, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(kind, event_id, about.sg_message_id, now_ms, state, dump_json(body)),
        )
        if state == WAITING:
            self.wake()

    def waiting(self) -> int:
        """How many events are not told yet."""
        row = self.database.row(
            f"SELECT (SELECT count(*) FROM sendgrid_events WHERE state = '{WAITING}') +"  # noqa: S608
            " (SELECT count(*) FROM sendgrid_events WHERE batch_n IN"
            " (SELECT n FROM sendgrid_batches))"
        )
        return int(row[0]) if row else 0

    def listed(self) -> Iterator[dict[str, Any]]:
        """Every event with its state, oldest first, however many there are."""
        last_n = 0
        sql = "SELECT n, state, body FROM sendgrid_events WHERE n > ? ORDER BY n LIMIT 1000"
        while rows := self.database.rows(sql, last_n):
            yield from ({"state": state, "body": json.loads(body)} for _, state, body in rows)
            last_n = rows[-1][0]

    def counts(self, sg_message_id: str) -> dict[str, int]:
        """How often what happened to a message."""
        sql = "SELECT event, count(*) FROM sendgrid_events WHERE sg_message_id = ? GROUP BY event"
        return {str(event): int(count) for event, count in self.database.rows(sql, sg_message_id)}

    def clear(self) -> None:
        for table in ("sendgrid_events", "sendgrid_batches"):
            self.database.run(f"DELETE FROM {table}")  # noqa: S608 - constants


class SendGridCarrier:
    """Tells the webhook what became of the messages that SendGrid took."""

    def __init__(self, events: Events, account: Account) -> None:
        self._events, self._account = events, account

    def arrived(self, message: Message, arrival: Arrival) -> None:
        event = dict(_ARRIVALS[arrival])
        if arrival == Arrival.BOUNCED:
            self._account.suppress(message.to, "bounce")
        elif arrival == Arrival.DROPPED:
            event["reason"] = message.details.get("reason") or event["reason"]
        self._events.add(about(message), event)

    def acted(self, message: Message, act: Act, how: Mapping[str, Any]) -> None:
        tracking, group = message.details["tracking"], message.details["asm_group_id"]
        if act in (Act.OPEN, Act.MACHINE_OPEN) and tracking["open"]:
            self._events.add(about(message), _opened(act))
        elif act == Act.CLICK and tracking["click"] and how.get("url"):
            self._events.add(about(message), _clicked(message, str(how["url"])))
        elif act == Act.SPAM:
            self._account.suppress(message.to, "spamreport")
            self._events.add(about(message), {"event": "spamreport"})
        elif act == Act.LATE_BOUNCE:
            self._account.suppress(message.to, "bounce")
            # Asynchronous bounces do not know which message they are about.
            self._events.add(replace(about(message), sg_message_id="", smtp_id=""), _BOUNCE)
        elif act == Act.PROVIDER_UNSUBSCRIBE and tracking["subscription"]:
            self._account.suppress(message.to, "unsubscribe")
            self._events.add(about(message), {"event": "unsubscribe"})
        elif group is not None:
            self._acted_on_group(message, act, int(group))

    def _acted_on_group(self, message: Message, act: Act, group_id: int) -> None:
        if act == Act.GROUP_UNSUBSCRIBE:
            self._account.suppress(message.to, "group_unsubscribe", group_id)
        elif act == Act.GROUP_RESUBSCRIBE:
            self._account.allow_group(message.to, group_id)
        else:
            return
        event = {"event": act.value, "asm_group_id": group_id, "ip": _IP}
        self._events.add(about(message), event | {"useragent": READER_AGENT})

    def waiting(self) -> int:
        return self._events.waiting()

    def clear(self) -> None:
        self._events.clear()
        self._events.webhook.clear()
        self._account.clear()


def about(message: Message) -> About:
    details = message.details
    return About(
        *(message.to, message.custom, details["categories"]),
        *(details["sg_message_id"], details["smtp_id"]),
    )


def _opened(act: Act) -> dict[str, Any]:
    machine = act == Act.MACHINE_OPEN
    agent = MACHINE_AGENT if machine else READER_AGENT
    return {
        "event": "open",
        "sg_machine_open": machine,
        "sg_content_type": "html",
        "useragent": agent,
        "ip": _IP,
    }


def _clicked(message: Message, url: str) -> dict[str, Any]:
    kind = "html" if message.html else "text"
    return {
        "event": "click",
        "url": url,
        "url_offset": {"index": 0, "type": kind},
        "useragent": READER_AGENT,
        "ip": _IP,
    }
