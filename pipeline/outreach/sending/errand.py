"""What is known of a send at one moment: its action, and all that decides about it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from models import (
    Campaign,
    Contact,
    Enrollment,
    OutboundMessage,
    ScheduledAction,
    SenderIdentity,
    Tenant,
)
from pipeline.outreach import plans
from pipeline.outreach.plans import Node, Plan
from pipeline.stores import Row, collection

#: Which field of a contact has the address, by channel.
ADDRESS_FIELDS = {"email": "email", "sms": "phone"}


@dataclass(frozen=True, slots=True)
class Errand:
    """One message that is to be sent.  A row is empty if there is none of the action's tenant."""

    action: Row
    enrollment: Row
    campaign: Row
    tenant: Row
    sender: Row
    contact: Row
    message: Row

    @property
    def message_id(self) -> str:
        """The id of the message, whether it is there yet or not."""
        return message_id(self.dedupe_key)

    @property
    def dedupe_key(self) -> str:
        """What the message is for: there is one for each."""
        row = self.action
        parts = ("tenant_id", "campaign_id", "contact_id", "node_id", "channel")
        return ":".join(str(row[part]) for part in parts)

    @property
    def plan(self) -> Plan:
        """The plan that the contact is on."""
        return plans.stored(self.enrollment["campaign_id"], self.enrollment["plan_version"])

    @property
    def node(self) -> Node:
        """What is sent."""
        return self.plan.node(self.action["node_id"])

    @property
    def address(self) -> str:
        """Where it goes; empty if the contact has no address for the channel."""
        return str(self.contact.get(ADDRESS_FIELDS[self.action["channel"]]) or "")

    @property
    def domain(self) -> str:
        """The domain of the recipient; empty for a telephone number."""
        return self.address.rpartition("@")[2] if self.action["channel"] == "email" else ""

    @property
    def zone(self) -> str:
        """The zone by whose clock it may be quiet at the contact's."""
        return self.contact.get("time_zone") or self.plan.time_zone


def message_id(dedupe_key: str) -> str:
    """Return the id of the message with this key: it says nothing about anybody."""
    return sha256(dedupe_key.encode()).hexdigest()[:32]


def load(action_id: str) -> Errand | None:
    """Read an action and all that decides about it in one go; None if it is gone."""
    stages = [{"$match": {"_id": action_id, "kind": "send"}}]
    for name, (model, key) in _BESIDE.items():
        source = model._meta["collection"]
        join = {"from": source, "localField": key, "foreignField": "_id", "as": name}
        stages.append({"$lookup": join})
    found = list(collection(ScheduledAction).aggregate(stages))
    if not found:
        return None
    [action] = found
    beside = {name: _one(action.pop(name), action["tenant_id"]) for name in _BESIDE}
    errand = Errand(action=action, message={}, **beside)
    return errand.__class__(action=action, message=_message(errand), **beside)


_BESIDE: dict[str, tuple[Any, str]] = {
    "enrollment": (Enrollment, "enrollment_id"),
    "campaign": (Campaign, "campaign_id"),
    "tenant": (Tenant, "tenant_id"),
    "sender": (SenderIdentity, "sender_id"),
    "contact": (Contact, "contact_id"),
}


def _one(rows: list[Row], tenant_id: str) -> Row:
    """Return the row, if it is the tenant's: a tenant's own has it as its id."""
    return next((row for row in rows if row.get("tenant_id", row["_id"]) == tenant_id), {})


def _message(errand: Errand) -> Row:
    return collection(OutboundMessage).find_one({"_id": errand.message_id}) or {}
