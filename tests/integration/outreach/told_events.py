"""What SendGrid and Twilio tell us: events of messages, signed as they sign them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import outreach_rows as rows
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.outreach import (
    Enrollment,
    OutboundMessage,
    OutreachDelivery,
    OutreachEvent,
    Suppression,
)
from pipeline.outreach import events
from pipeline.outreach.events.deliveries import Incoming, keep
from pipeline.stores import Row, collection

FOLLOW_UP = rows.plan(
    rows.send("first", rows.on("clicked", "rest"), rows.on("no_open", "stop", after="PT72H")),
    rows.wait("rest", rows.on("no_click", "stop", after="PT72H")),
)
HOUR = timedelta(hours=1)


def sent_message(prefix: str = "contact", plan: Row = FOLLOW_UP, **fields: Any) -> Row:
    """Have a campaign send one message to one new contact, three hours ago; return its row."""
    [contact_id] = rows.contacts(prefix=prefix)
    campaign_id = rows.campaign(plan, [contact_id])
    at = rows.now().replace(microsecond=0) - 3 * HOUR
    begun = {"node_entered_at": at, "events_from": at}
    collection(Enrollment).update_one({"campaign_id": campaign_id}, {"$set": begun})
    message_id = rows.sent(campaign_id, contact_id, at)
    known = {"to_address": f"{prefix}-0@example.com", "provider_id": f"sg-{message_id[:20]}"}
    collection(OutboundMessage).update_one({"_id": message_id}, {"$set": known | fields})
    return message(message_id)


def message(message_id: str) -> Row:
    """Return a message as it is."""
    row = collection(OutboundMessage).find_one({"_id": message_id})
    assert row is not None
    return row


def entry(message: Row, event: str, at: datetime | None = None, **fields: Any) -> Row:
    """Return an event of a message as SendGrid tells it."""
    at = at or message["sent_at"] + HOUR
    return {
        "email": message.get("to_address") or "somebody@example.com",
        "event": event,
        "timestamp": int(at.timestamp()),
        "sg_event_id": f"{event}-{message['_id'][:16]}-{int(at.timestamp())}",
        "sg_message_id": f"{message.get('provider_id')}.recvd-7c-1-2",
        "outbound_message_id": message["_id"],
        "tenant_id": message["tenant_id"],
    } | fields


def deliver(entries: Sequence[Any]) -> str:
    """Keep a delivery of SendGrid's as the web does; return its id."""
    raw = json.dumps(list(entries)).encode()
    incoming = Incoming("sendgrid", "events", f"{time.time_ns()}".encode() + raw, raw)
    keep([incoming])
    return incoming.id


def tell(*entries: Any) -> Row:
    """Have SendGrid tell of events, and a job work through them; return the delivery."""
    delivery_id = deliver(entries)
    events.process(delivery_id)
    return delivery(delivery_id)


def delivery(delivery_id: str) -> Row:
    """Return a delivery as it is."""
    row = collection(OutreachDelivery).find_one({"_id": delivery_id})
    assert row is not None
    return row


def kept(message: Row) -> list[Row]:
    """Return the events of a message, first to last."""
    wanted = {"message_id": message["_id"]}
    return list(collection(OutreachEvent).find(wanted).sort([("occurred_at", 1), ("_id", 1)]))


def enrollment(message: Row) -> Row:
    """Return the enrollment that a message was sent for."""
    return rows.enrollment(message["campaign_id"], message["contact_id"])


def suppressed(message: Row) -> Row | None:
    """Return why nothing more is sent to whom a message was sent to."""
    wanted = {"tenant_id": message["tenant_id"], "address": message["to_address"]}
    return collection(Suppression).find_one(wanted)


class Signer:
    """SendGrid's key, and what it signs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> str:
        """The key as SendGrid's settings page shows it."""
        public = self._key.public_key()
        return base64.b64encode(
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    def headers(self, body: bytes, at: float | None = None) -> dict[str, str]:
        """Return the headers that SendGrid sends with `body`."""
        stamp = str(int(time.time() if at is None else at))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        }
