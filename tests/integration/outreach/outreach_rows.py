"""Campaigns under way, made in few words: senders, contacts, plans, and what is kept of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from pymongo.client_session import ClientSession

from models import (
    Contact,
    Enrollment,
    EnrollmentTransition,
    OutboundMessage,
    OutreachEvent,
    ScheduledAction,
    SenderIdentity,
)
from models.outreach import ACTION_OPEN
from pipeline.errors import Unfinished
from pipeline.outreach import advancing, campaigns, enrolling, settling
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

TENANT = "acme"
BY = "ada"


def now() -> datetime:
    """Return the time as the store keeps it: in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def sender(sender_id: str = "sender-1", **fields: Any) -> str:
    """Add a verified sender of mail, unless it is there, and return its id."""
    row = {
        "tenant_id": TENANT,
        "name": "Sales",
        "channel": "email",
        "provider": "sendgrid",
        "address": f"{sender_id}@sender.example",
        "status": "verified",
        "is_paused": False,
        "created_at": now(),
        "updated_at": now(),
    } | fields
    collection(SenderIdentity).update_one({"_id": sender_id}, {"$setOnInsert": row}, upsert=True)
    return sender_id


def contacts(count: int = 1, *, prefix: str = "contact", **fields: Any) -> list[str]:
    """Add contacts and return their ids."""
    common = {"tenant_id": TENANT, "first_name": "Grace", "created_at": now(), "updated_at": now()}
    rows = [
        common
        | {"_id": f"{prefix}-{n}", "email": f"{prefix}-{n}@example.com", "fields": {}}
        | fields
        for n in range(count)
    ]
    collection(Contact).insert_many(rows)
    return [row["_id"] for row in rows]


def send(node_id: str, *transitions: Row, **fields: Any) -> Row:
    """Return a node of a plan that sends mail."""
    content = {"subject": "Hello {{ contact.first_name }}", "body": "<p>How are you?</p>"}
    node = {"id": node_id, "channel": "email", "action": "send", **content}
    return node | {"transitions": list(transitions)} | fields


def wait(node_id: str, *transitions: Row) -> Row:
    """Return a node of a plan that waits."""
    return {"id": node_id, "action": "wait", "transitions": list(transitions)}


def on(event: str, to: str, **limits: str) -> Row:
    """Return a transition: `on("no_open", "second", after="PT72H")`."""
    return {"on": event, "to": to, **limits}


def plan(*nodes: Row, **fields: Any) -> Row:
    """Return a plan that begins with its first node."""
    return {"timezone": "UTC", "startNodeId": nodes[0]["id"], "nodes": list(nodes)} | fields


def draft(plan: Row, contact_ids: Iterable[str], **fields: Any) -> str:
    """Make a campaign with a plan, a sender of mail and contacts; return its id."""
    fields = {"email_sender_id": sender()} | fields
    campaign_id = campaigns.create(TENANT, name="Spring", by=BY, **fields)
    campaigns.publish(TENANT, campaign_id, plan, by=BY)
    enrolling.enroll(TENANT, campaign_id, contact_ids, by=BY)
    return campaign_id


def campaign(plan: Row, contact_ids: Iterable[str], **fields: Any) -> str:
    """Make a campaign that is under way, each contact at the first node; return its id."""
    campaign_id = draft(plan, contact_ids, **fields)
    campaigns.activate(TENANT, campaign_id, by=BY)
    settle(campaign_id)
    return campaign_id


def settle(campaign_id: str) -> None:
    """Bring the enrollments in line with their campaign, in as many jobs as that takes."""
    while True:
        try:
            settling.settle(campaign_id)
        except Unfinished:
            continue
        return


def enrollment(campaign_id: str, contact_id: str) -> Row:
    """Return an enrollment as it is."""
    row = collection(Enrollment).find_one({"_id": f"{campaign_id}:{contact_id}"})
    assert row is not None
    return row


def actions(campaign_id: str, statuses: Collection[str] = ACTION_OPEN, **fields: Any) -> list[Row]:
    """Return the actions of a campaign, by due time; the open ones if nothing else is asked."""
    wanted = {"campaign_id": campaign_id, "status": {"$in": list(statuses)}} | fields
    return list(collection(ScheduledAction).find(wanted).sort("due_at", 1))


def transitions(campaign_id: str, contact_id: str) -> list[Row]:
    """Return the transitions of an enrollment, first to last."""
    mine = {"enrollment_id": f"{campaign_id}:{contact_id}"}
    return list(collection(EnrollmentTransition).find(mine).sort("state_version", 1))


def sent(campaign_id: str, contact_id: str, at: datetime | None = None) -> str:
    """Have the message of the present node be sent, as the job that sends does; return its id."""
    row = enrollment(campaign_id, contact_id)
    dedupe_key = f"{TENANT}:{campaign_id}:{contact_id}:{row['node_id']}:email"
    message_id = sha256(dedupe_key.encode()).hexdigest()[:32]
    at = at or now()
    message = {name: row[name] for name in ("tenant_id", "campaign_id", "contact_id", "node_id")}
    message |= {
        "_id": message_id,
        "dedupe_key": dedupe_key,
        "enrollment_id": row["_id"],
        "sender_id": sender(),
        "plan_version": row["plan_version"],
        "channel": "email",
        "provider": "sendgrid",
        "state": "sent",
        "fence": 1,
        "sent_at": at,
        "created_at": at,
        "updated_at": at,
    }

    def work(session: ClientSession) -> None:
        collection(OutboundMessage).insert_one(message, session=session)
        mine = {"enrollment_id": row["_id"], "kind": "send", "state_version": row["state_version"]}
        done = {"$set": {"status": "completed", "expires_at": at + timedelta(days=1)}}
        collection(ScheduledAction).update_many(mine, done, session=session)
        collection(Enrollment).update_one(
            {"_id": row["_id"]},
            {"$set": {"sent_at": at, "message_id": message_id}},
            session=session,
        )
        advancing.advance(session, [row["_id"]], now())

    transaction(work)
    return message_id


def happened(
    message_id: str, kind: str, at: datetime | None = None, *, event_id: str = "", **fields: Any
) -> str:
    """Have an event of a message become known, as a webhook does; return its id."""
    event_id = event_id or f"sendgrid:{message_id}:{kind}"

    def work(session: ClientSession) -> None:
        message = collection(OutboundMessage).find_one({"_id": message_id}, session=session) or {}
        names = ("tenant_id", "campaign_id", "contact_id", "node_id", "enrollment_id")
        event = {name: message[name] for name in names} | {
            "_id": event_id,
            "message_id": message_id,
            "provider": "sendgrid",
            "type": kind,
            "occurred_at": at or now(),
            "received_at": now(),
        }
        events = collection(OutreachEvent)
        events.update_one(
            {"_id": event_id}, {"$setOnInsert": event | fields}, upsert=True, session=session
        )
        advancing.advance(session, [message["enrollment_id"]], now())

    transaction(work)
    return event_id
