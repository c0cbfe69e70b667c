"""Messages that are about to be sent by the sandbox, and what became of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import outreach_rows as rows

from models import Enrollment, OutboundMessage, ScheduledAction
from pipeline.outreach import sending
from pipeline.sandbox.outreach import TWILIO_NUMBER
from pipeline.sandbox.population import EMAIL_DOMAIN
from pipeline.stores import Row, collection

PROVIDERS = ("sendgrid", "smtp", "twilio")
#: The request that carries a message, as faults name it.
SENDING = {"sendgrid": "mail.send", "smtp": "data", "twilio": "messages.create"}
PHONE = "+4915550000001"


class Case:
    """One contact whose first message is due, by one provider."""

    def __init__(self, provider: str, contact: Row | None = None, **plan: Any) -> None:
        self.provider = provider
        is_sms = provider == "twilio"
        channel = "sms" if is_sms else "email"
        self.sender_id = rows.sender(
            f"from-{provider}",
            provider=provider,
            channel=channel,
            address=TWILIO_NUMBER if is_sms else f"sales@{EMAIL_DOMAIN}",
        )
        [self.contact_id] = rows.contacts(prefix=provider, **({"phone": PHONE} | (contact or {})))
        body = {"subject": None, "body": "See https://shop.example/a"} if is_sms else {}
        follows = rows.on("clicked", "stop"), rows.on("no_click", "stop", after="P2D")
        node = rows.send("first", *follows, channel=channel, **body)
        senders = {f"{channel}_sender_id": self.sender_id}
        self.campaign_id = rows.campaign(rows.plan(node, **plan), [self.contact_id], **senders)
        [self.action_id] = [row["_id"] for row in self.actions("pending")]

    def send(self) -> str:
        """Do what the job of the action does."""
        return sending.send(self.action_id, self.sender_id)

    def actions(self, *statuses: str, kind: str = "send") -> list[Row]:
        return rows.actions(self.campaign_id, statuses, kind=kind)

    @property
    def action(self) -> Row:
        row = collection(ScheduledAction).find_one({"_id": self.action_id})
        assert row is not None
        return row

    @property
    def enrollment(self) -> Row:
        return rows.enrollment(self.campaign_id, self.contact_id)

    @property
    def message(self) -> Row:
        """The message's row; empty if there is none."""
        return collection(OutboundMessage).find_one({"campaign_id": self.campaign_id}) or {}

    def age(self, seconds: float) -> None:
        """Have the message been due, handed over, and asked for, so much earlier."""
        for model, row in ((OutboundMessage, self.message), (Enrollment, self.enrollment)):
            known = (name for name in _TIMES if row.get(name))
            times = {name: row[name] - timedelta(seconds=seconds) for name in known}
            if times:
                collection(model).update_one({"_id": row["_id"]}, {"$set": times})

    def reconcile(self) -> str:
        return sending.reconcile(self.message["_id"])

    def due_now(self) -> None:
        """Have the action be due, whatever it was put off to."""
        collection(ScheduledAction).update_one(
            {"_id": self.action_id}, {"$set": {"due_at": rows.now()}}
        )


_TIMES = ("node_entered_at", "handed_over_at", "lease_until", "reconcile_due_at")
