"""A tenant with a campaign under way, as its pages show it: rows of every kind, in every state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from models import (
    Campaign,
    Contact,
    ContactImport,
    Enrollment,
    EnrollmentTransition,
    OutboundMessage,
    OutreachDelivery,
    OutreachEvent,
    PlanVersion,
    ScheduledAction,
    SenderIdentity,
    Suppression,
    Tenant,
)
from pipeline.stores import collection

SUBJECT = "The summer catalogue is here"
#: Of the messages of the seed, what came of each, beside being sent.
_OUTCOMES = ("opened", "clicked", "delivered", "bounced", "delivered", "replied", "opened")
PLAN: dict[str, Any] = {
    "version": "1.0",
    "timezone": "Europe/Berlin",
    "quietHours": {"start": "21:00", "end": "08:00"},
    "defaults": {"timers": {"no_open_after": "PT72H", "no_click_after": "PT24H"}},
    "startNodeId": "catalogue",
    "nodes": [
        {
            "id": "catalogue",
            "channel": "email",
            "action": "send",
            "subject": SUBJECT,
            "body": "Hello {{ contact.first_name }}, have a look: https://shop.example",
            "schedule": {"delay": "PT0S"},
            "transitions": [
                {"on": "clicked", "to": "thanks", "within": "P7D"},
                {"on": "opened", "to": "think", "within": "P3D"},
                {"on": "no_open", "to": "reminder", "after": "P3D"},
                {"on": "bounced", "to": "text"},
            ],
        },
        {
            "id": "think",
            "channel": "email",
            "action": "wait",
            "transitions": [
                {"on": "clicked", "to": "thanks"},
                {"on": "no_click", "to": "reminder", "after": "PT48H"},
            ],
        },
        {
            "id": "reminder",
            "channel": "email",
            "action": "send",
            "subject": "Did you miss this, {{ contact.first_name }}?",
            "body": "It is still there: https://shop.example",
            "schedule": {"delay": "P1D"},
            "transitions": [
                {"on": "clicked", "to": "thanks", "within": "P7D"},
                {"on": "no_click", "to": "text", "after": "P7D"},
            ],
        },
        {
            "id": "text",
            "channel": "sms",
            "action": "send",
            "body": "Our catalogue: https://shop.example",
            "transitions": [{"on": "replied", "to": "done"}, {"on": "delivered", "to": "stop"}],
        },
        {
            "id": "thanks",
            "channel": "email",
            "action": "send",
            "subject": "Thank you",
            "body": "We are glad.",
            "transitions": [
                {"on": "replied", "to": "done", "within": "P30D"},
                {"on": "no_click", "to": "done"},
            ],
        },
        {"id": "done", "channel": "email", "action": "stop"},
    ],
}


@dataclass
class Seeded:
    """What was made: the ids, and the addresses that only some may see."""

    tenant_id: str
    campaign_id: str
    email_sender: str
    sms_sender: str
    contacts: list[str] = field(default_factory=list)
    enrollments: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    unknown: str = ""

    @property
    def url(self) -> str:
        """The address of the tenant's pages."""
        return f"/admin/outreach/{self.tenant_id}"

    @property
    def personal(self) -> tuple[str, ...]:
        """What nobody sees who does not ask for it."""
        return ("ada.lovelace0@", "+4917012345", "Lovelace", "blocked.person@", "wrote by mistake@")


def now() -> datetime:
    """Return the time, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def ago(**span: float) -> datetime:
    """Return a time that is past."""
    return now() - timedelta(**span)


def seed(tenant_id: str = "acme", *, contacts: int = 14, status: str = "active") -> Seeded:
    """Return a tenant with one campaign, in which each contact is somewhere else."""
    made = Seeded(tenant_id, f"c-{tenant_id}", f"s-mail-{tenant_id}", f"s-sms-{tenant_id}")
    _tenant(made)
    _senders(made)
    _campaign(made, status)
    for number in range(contacts):
        _contact(made, number)
        _enrollment(made, number)
    _suppressions(made)
    _deliveries(made)
    _imports(made)
    return made


def _times(**span: float) -> dict[str, datetime]:
    return {"created_at": ago(**(span or {"days": 9})), "updated_at": ago(minutes=3)}


def _tenant(made: Seeded) -> None:
    row = {
        "_id": made.tenant_id,
        "name": "Acme Garden Tools",
        "postal_address": "1 Long Road, Sampletown",
        "sends_per_hour": 4000,
        "outreach_paused": False,
        **_times(),
    }
    collection(Tenant).replace_one({"_id": made.tenant_id}, row, upsert=True)


def _senders(made: Seeded) -> None:
    wanted: list[dict[str, Any]] = [
        {
            "_id": made.email_sender,
            "name": "Shop news",
            "channel": "email",
            "provider": "sendgrid",
            "address": f"news@{made.tenant_id}.example",
            "display_name": "Acme Shop",
            "reply_to": f"help@{made.tenant_id}.example",
            "limits": {"per_minute": 20, "per_hour": 500},
            "status": "verified",
        },
        {
            "_id": made.sms_sender,
            "name": "Shop texts",
            "channel": "sms",
            "provider": "twilio",
            "address": "+4930123456",
            "status": "failing",
            "status_reason": "Twilio refused the credentials (20003); set the auth token anew.",
        },
        {
            "_id": f"s-old-{made.tenant_id}",
            "name": "Old mail server",
            "channel": "email",
            "provider": "smtp",
            "address": f"old@{made.tenant_id}.example",
            "status": "unverified",
        },
    ]
    for row in wanted:
        fields = {"tenant_id": made.tenant_id, "is_paused": False, "reply_seqs": {}, **_times()}
        verified = {"verified_at": ago(days=8)} if row["status"] == "verified" else {}
        collection(SenderIdentity).insert_one({**row, **fields, **verified})


def _campaign(made: Seeded, status: str) -> None:
    collection(Campaign).insert_one(
        {
            "_id": made.campaign_id,
            "tenant_id": made.tenant_id,
            "name": "Summer catalogue",
            "description": "For everybody who bought something last year.",
            "status": status,
            "status_by": "ada",
            "status_at": ago(days=8),
            "plan_version": 2,
            "email_sender_id": made.email_sender,
            "sms_sender_id": made.sms_sender,
            "activated_at": ago(days=8),
            "created_by": "ada",
            **_times(),
        }
    )
    collection(Campaign).insert_one(
        {
            "_id": f"draft-{made.tenant_id}",
            "tenant_id": made.tenant_id,
            "name": "Winter sale",
            "status": "draft",
            "plan_version": 0,
            "created_by": "grace",
            **_times(days=1),
        }
    )
    for number in (1, 2):
        collection(PlanVersion).insert_one(
            {
                "_id": f"{made.campaign_id}:{number}",
                "tenant_id": made.tenant_id,
                "campaign_id": made.campaign_id,
                "number": number,
                "plan": PLAN,
                "hash": sha256(str(number).encode()).hexdigest(),
                "created_by": "ada",
                "created_at": ago(days=10 - number),
            }
        )


def _contact(made: Seeded, number: int) -> None:
    contact_id = f"p{number:02}-{made.tenant_id}"
    made.contacts.append(contact_id)
    collection(Contact).insert_one(
        {
            "_id": contact_id,
            "tenant_id": made.tenant_id,
            "external_id": f"crm-{number}-{made.tenant_id}",
            "email": f"ada.lovelace{number}@customer{number % 4}.example",
            "phone": f"+49170123450{number:02}",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "company": "Analytical Engines",
            "time_zone": "America/New_York" if number % 3 == 0 else "",
            "fields": {"plan": "gold"},
            "import_id": f"i-{made.tenant_id}",
            **_times(),
        }
    )


#: Where each contact is: status, step, and why.
_PLACES = (
    ("active", "think", ""),
    ("active", "reminder", ""),
    ("completed", "done", ""),
    ("active", "catalogue", ""),
    ("paused", "reminder", "asked for it"),
    ("stopped", "catalogue", "unsubscribed"),
    ("error", "text", "the address is not valid"),
    ("pending", "", ""),
)


def _enrollment(made: Seeded, number: int) -> None:
    status, node, reason = _PLACES[number % len(_PLACES)]
    contact_id = made.contacts[number]
    enrollment_id = f"{made.campaign_id}:{contact_id}"
    made.enrollments.append(enrollment_id)
    whose = {
        "tenant_id": made.tenant_id,
        "campaign_id": made.campaign_id,
        "enrollment_id": enrollment_id,
        "contact_id": contact_id,
    }
    row = {
        "_id": enrollment_id,
        "plan_version": 2,
        "status": status,
        "reason": reason or None,
        "state_version": 3,
        **{name: value for name, value in whose.items() if name != "enrollment_id"},
        **_times(),
    }
    if node:
        message_id = _message(made, whose, number)
        row |= {
            "node_id": node,
            "node_entered_at": ago(days=1),
            "message_id": message_id,
            "started_at": ago(days=8),
        }
        _story(whose, message_id, status, node, reason)
    if status in ("completed", "stopped", "error"):
        row["ended_at"] = ago(hours=5)
    collection(Enrollment).insert_one(row)
    if status == "active":
        _action(made, whose, node, number)


def _message(made: Seeded, whose: dict[str, str], number: int) -> str:
    key = f"{made.tenant_id}:{made.campaign_id}:{whose['contact_id']}:catalogue:email"
    message_id = sha256(key.encode()).hexdigest()[:32]
    made.messages.append(message_id)
    state = {3: "unknown", 9: "retryable", 10: "failed"}.get(number, "sent")
    row = {
        "_id": message_id,
        "dedupe_key": key,
        **whose,
        "sender_id": made.email_sender,
        "node_id": "catalogue",
        "plan_version": 2,
        "channel": "email",
        "provider": "sendgrid",
        "to_address": f"ada.lovelace{number}@customer{number % 4}.example",
        "domain": f"customer{number % 4}.example",
        "subject": SUBJECT,
        "message_id_header": f"<{message_id}@{made.tenant_id}.example>",
        "state": state,
        "fence": 1,
        "attempts": 1,
        "handed_over_at": ago(days=8),
        **_times(days=8),
    }
    if state == "sent":
        row |= {"sent_at": ago(days=8), "provider_id": f"sg-{message_id[:12]}"}
        row |= {f"{_OUTCOMES[number % 7]}_at": ago(days=7), "delivered_at": ago(days=8)}
    elif state == "unknown":
        made.unknown = message_id
        row |= {
            "error": "SendGrid did not answer within 30 s",
            "reconcile_due_at": now() + timedelta(hours=2),
            "reconciliation": "Asked 3 times; Email Activity does not know it (yet).",
        }
    elif state == "failed":
        row["error"] = "SendGrid refused it: the address does not exist"
    collection(OutboundMessage).insert_one(row)
    return message_id


def _story(whose: dict[str, str], message_id: str, status: str, node: str, reason: str) -> None:
    steps: list[dict[str, Any]] = [
        {"trigger": "enrolled", "to_status": "pending", "by": "ada", "at": ago(days=8, hours=1)},
        {"trigger": "started", "to_status": "active", "to_node": "catalogue", "at": ago(days=8)},
        {
            "trigger": "opened" if status != "stopped" else "unsubscribed",
            "to_status": status,
            "from_node": "catalogue",
            "to_node": node,
            "event_id": f"sendgrid:{message_id}:1",
            "reason": reason or "opened within 3 d",
            "at": ago(days=1),
        },
    ]
    for number, step in enumerate(steps, 1):
        at = step.pop("at")
        fields = {name: whose[name] for name in ("tenant_id", "campaign_id", "enrollment_id")}
        collection(EnrollmentTransition).insert_one(
            {
                "_id": f"{whose['enrollment_id']}:{number}",
                "state_version": number,
                "occurred_at": at,
                "recorded_at": at + timedelta(seconds=2),
                **fields,
                **step,
            }
        )
    for number, (kind, days) in enumerate((("delivered", 7.9), ("opened", 1.0)), 0):
        collection(OutreachEvent).insert_one(
            {
                "_id": f"sendgrid:{message_id}:{number}",
                **whose,
                "message_id": message_id,
                "node_id": "catalogue",
                "provider": "sendgrid",
                "type": kind,
                "occurred_at": ago(days=days),
                "received_at": ago(days=days) + timedelta(seconds=4),
                "data": {},
                "effect": "moved on to think" if kind == "opened" else "nothing waits for it",
            }
        )


def _action(made: Seeded, whose: dict[str, str], node: str, number: int) -> None:
    is_send = node == "reminder"
    due = now() + timedelta(hours=number + 1)
    row = {
        "_id": f"{'send' if is_send else 'timeout'}:{whose['enrollment_id']}:{node}:3",
        **whose,
        "kind": "send" if is_send else "timeout",
        "node_id": node,
        "state_version": 3,
        "status": "pending",
        "due_at": due,
        "planned_at": due - timedelta(hours=9 if is_send else 0),
        "because": "quiet hours in America/New_York end then"
        if is_send
        else "48 h without a click",
        "attempts": 0,
        "data": {},
        **_times(days=1),
    }
    if is_send:
        row |= {"sender_id": made.email_sender, "channel": "email", "domain": "customer1.example"}
    else:
        row["event"] = "no_click"
    collection(ScheduledAction).insert_one(row)


def _suppressions(made: Seeded) -> None:
    for number, (address, reason, source) in enumerate(
        (
            ("blocked.person@customer1.example", "unsubscribed", "one_click"),
            ("gone@customer2.example", "bounced", "sendgrid"),
            ("", "manual", "admin"),
        )
    ):
        digest = sha256(f"{address}{number}".encode()).hexdigest()
        collection(Suppression).insert_one(
            {
                "_id": f"{made.tenant_id}:email:{digest}",
                "tenant_id": made.tenant_id,
                "channel": "email",
                "address_hash": digest,
                "address": address or None,
                "reason": reason,
                "source": source,
                "campaign_id": made.campaign_id if number < 2 else None,
                "count": number + 1,
                "first_seen_at": ago(days=6),
                "last_seen_at": ago(days=number),
            }
        )


def _deliveries(made: Seeded) -> None:
    for number, status in enumerate(("processed", "partial", "received", "failed")):
        collection(OutreachDelivery).insert_one(
            {
                "_id": sha256(f"{made.tenant_id}{number}".encode()).hexdigest(),
                "provider": "sendgrid",
                "kind": "events",
                "raw": b"[]",
                "received_at": ago(minutes=4 * number + 1),
                "status": status,
                "attempts": 1,
                **({"open": True} if status == "received" else {"processed_at": ago(minutes=1)}),
                "counts": {"applied": 9, "duplicates": 1, "noted": 1, "skipped": 0, "malformed": 1},
                "tenant_ids": [made.tenant_id],
                "problems": ["[3].timestamp: expected seconds since 1970"]
                if status == "partial"
                else [],
                "expires_at": now() + timedelta(days=7),
            }
        )


def _imports(made: Seeded) -> None:
    collection(ContactImport).insert_one(
        {
            "_id": f"i-{made.tenant_id}",
            "tenant_id": made.tenant_id,
            "file_name": "customers.csv",
            "status": "done",
            "rows": 17,
            "created": 14,
            "updated": 0,
            "unchanged": 0,
            "rejected": 3,
            "problems": [
                {"row": 4, "field": "email", "problem": "this is not an address"},
                {"row": 9, "field": "time_zone", "problem": "there is no zone Europe/Berlln"},
                {"row": 11, "field": "email", "problem": "it is in row 3 already"},
            ],
            "by": "ada",
            "created_at": ago(days=9),
            "ended_at": ago(days=9),
            "expires_at": now() + timedelta(days=60),
        }
    )
