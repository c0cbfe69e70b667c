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
    stages: list[Row] = [{"$match": {"_id": action_id, "kind": "send"}}]
    for name, (model, own, foreign) in _BESIDE.items():
        source = model._meta["collection"]
        join = {"from": source, "localField": own, "foreignField": foreign, "as": name}
        stages.append({"$lookup": join})
    for action in collection(ScheduledAction).aggregate(stages):
        beside = {name: action.pop(name) for name in _BESIDE}
        return Errand(
            action, **{name: _one_of(name, rows, action) for name, rows in beside.items()}
        )
    return None


#: What is read beside an action: from where, and by which fields of both.
_BESIDE: dict[str, tuple[Any, str, str]] = {
    "enrollment": (Enrollment, "enrollment_id", "_id"),
    "campaign": (Campaign, "campaign_id", "_id"),
    "tenant": (Tenant, "tenant_id", "_id"),
    "sender": (SenderIdentity, "sender_id", "_id"),
    "contact": (Contact, "contact_id", "_id"),
    "message": (OutboundMessage, "enrollment_id", "enrollment_id"),
}


def _one_of(name: str, rows: list[Row], action: Row) -> Row:
    """Return the row that is the action's and its tenant's, which itself has that as its id."""
    wanted = {"tenant_id": action["tenant_id"]}
    if name == "tenant":
        wanted = {"_id": action["tenant_id"]}
    if name == "message":
        wanted |= {"node_id": action["node_id"], "channel": action["channel"]}
    return next((row for row in rows if wanted.items() <= row.items()), {})
