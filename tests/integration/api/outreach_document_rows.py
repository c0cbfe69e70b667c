"""A tenant's outreach with ids that are known beforehand, for requests that name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from models import (
    Campaign,
    Contact,
    ContactImport,
    OutboundMessage,
    OutreachDelivery,
    SenderIdentity,
)
from pipeline.outreach import campaigns, enrolling, suppressions
from pipeline.outreach.plans.examples import welcome
from pipeline.stores import collection

TENANT, BY = "acme", "ada"
SENDERS = ["sender-a", "sender-b"]
CONTACTS = ["contact-a", "contact-b"]
IMPORTS = ["import-a"]
#: The first one has a plan, a sender and contacts; the other one nothing.
CAMPAIGNS = ["campaign-a", "campaign-b"]
ENROLLMENTS = [f"{CAMPAIGNS[0]}:{contact_id}" for contact_id in CONTACTS]
MESSAGES = ["message-sent", "message-unknown"]
DELIVERIES = ["delivery-a"]
ADDRESS = "gone@shop.example"
SUPPRESSIONS = [suppressions.suppression_id(TENANT, "email", ADDRESS)]


def is_there() -> bool:
    """Return whether it was added since the stores were emptied: messages are never deleted."""
    return collection(OutboundMessage).find_one({"_id": MESSAGES[0]}) is not None


def seed() -> None:
    """Add senders, contacts, campaigns, enrollments, messages, a delivery and a suppression."""
    now = datetime.now(UTC)
    common = {"tenant_id": TENANT, "created_at": now, "updated_at": now}
    collection(SenderIdentity).insert_many([_sender(one) | common for one in SENDERS])
    people = [{"_id": one, "email": f"{one}@shop.example", "fields": {"n": 1}} for one in CONTACTS]
    collection(Contact).insert_many([one | common for one in people])
    drafts = [
        {"_id": one, "name": one, "status": "draft", "plan_version": 0, "created_by": BY}
        for one in CAMPAIGNS
    ]
    collection(Campaign).insert_many([one | common for one in drafts])
    campaigns.update(TENANT, CAMPAIGNS[0], email_sender_id=SENDERS[0], by=BY)
    campaigns.publish(TENANT, CAMPAIGNS[0], welcome(), by=BY)
    enrolling.enroll(TENANT, CAMPAIGNS[0], CONTACTS, by=BY)
    states = zip(MESSAGES, ENROLLMENTS, ("sent", "unknown"), strict=True)
    messages = [_message(*one, now) | common for one in states]
    collection(OutboundMessage).insert_many(messages)
    collection(ContactImport).insert_many([_import(one, now) | common for one in IMPORTS])
    collection(OutreachDelivery).insert_many([_delivery(one, now) for one in DELIVERIES])
    suppressions.suppress(None, TENANT, "email", ADDRESS, reason="bounced", source="sendgrid")


def _sender(sender_id: str) -> dict[str, Any]:
    return {
        "_id": sender_id,
        "name": sender_id,
        "channel": "email",
        "provider": "smtp",
        "address": f"{sender_id}@sender.example",
        "status": "verified",
        "is_paused": False,
    }


def _message(message_id: str, enrollment_id: str, state: str, now: datetime) -> dict[str, Any]:
    campaign_id, contact_id = enrollment_id.split(":")
    return {
        "_id": message_id,
        "dedupe_key": f"{TENANT}:{campaign_id}:{contact_id}:welcome:email",
        "campaign_id": campaign_id,
        "enrollment_id": enrollment_id,
        "contact_id": contact_id,
        "sender_id": SENDERS[0],
        "node_id": "welcome",
        "plan_version": 1,
        "channel": "email",
        "provider": "smtp",
        "to_address": f"{contact_id}@shop.example",
        "subject": "Welcome",
        "state": state,
        "fence": 1,
        "attempts": 1,
        "handed_over_at": now,
        "sent_at": now if state == "sent" else None,
    }


def _import(import_id: str, now: datetime) -> dict[str, Any]:
    counts = {"rows": 2, "created": 1, "updated": 0, "unchanged": 0, "rejected": 1}
    problems = [{"row": 3, "field": "email", "problem": "this is not an e-mail address"}]
    about = {"_id": import_id, "file_name": "people.csv", "status": "done", "by": BY}
    return {**about, **counts, "problems": problems, "expires_at": now + timedelta(days=1)}


def _delivery(delivery_id: str, now: datetime) -> dict[str, Any]:
    return {
        "_id": delivery_id,
        "provider": "sendgrid",
        "kind": "events",
        "raw": b"[]",
        "received_at": now,
        "attempts": 1,
        "status": "partial",
        "counts": {"applied": 1},
        "tenant_ids": [TENANT],
        "problems": ["[0].event: is none that is known"],
        "expires_at": now + timedelta(days=1),
    }
