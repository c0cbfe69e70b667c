"""Some enrollments as a transaction reads them, with all that decides what becomes of them.

One read for any number of enrollments: piece by piece, a hundred of them would cost a thousand
round trips.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession

from models import Campaign, Contact, Enrollment, OutboundMessage, OutreachEvent, Tenant
from models.outreach import ENROLLMENT_OVER
from pipeline.outreach import plans
from pipeline.outreach.decisions import Fact
from pipeline.outreach.plans import TIMER_EVENTS, Plan
from pipeline.stores import Row, collection

#: Fields of a contact that say where and when it is written to.
_REACHED = {"email": 1, "phone": 1, "time_zone": 1, "tenant_id": 1}


@dataclass(slots=True)
class Walk:
    """One enrollment on its way: `row` as it is now, `before` as it was read.

    `is_open`: its campaign and tenant let contacts move on.  `messages` are those of the
    enrollment by node, `facts` the events that have not led anywhere yet.
    What is to be written besides gathers in `transitions`, `synthetic` and `used`.
    """

    row: Row
    before: Row
    campaign: Row
    is_open: bool
    messages: dict[str, Row] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    transitions: list[Row] = field(default_factory=list)
    synthetic: list[Row] = field(default_factory=list)
    used: dict[str, Row] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id of the enrollment."""
        return str(self.row["_id"])

    @property
    def plan(self) -> Plan:
        """The plan that it follows; there is none before it was begun with."""
        return plans.stored(self.row["campaign_id"], self.row["plan_version"])

    @property
    def is_over(self) -> bool:
        """Whether nothing follows any more."""
        return self.row["status"] in ENROLLMENT_OVER

    @property
    def moves(self) -> bool:
        """Whether it may go on now."""
        return self.is_open and self.row["status"] == "active"

    def change(
        self,
        trigger: str,
        occurred_at: datetime,
        now: datetime,
        *,
        status: str = "",
        reason: str = "",
        by: str = "",
        event_id: str = "",
        **fields: Any,
    ) -> None:
        """Go over to another status or node, as a transition of its own."""
        after = self.row | fields
        after |= {"status": status or after["status"], "updated_at": now}
        after["state_version"] += 1
        if status:
            after["reason"] = reason[:500] or None
        if status in ENROLLMENT_OVER:
            after["ended_at"] = occurred_at
        self.transitions.append(
            _transition(self.row, after, trigger, reason, by, event_id)
            | {"occurred_at": occurred_at, "recorded_at": now}
        )
        self.row = after


@dataclass(slots=True)
class Batch:
    """Enrollments of one transaction.  `contacts` are read when they are asked for.

    `ids` are those that were asked for, also if they are gone.
    """

    ids: list[str]
    walks: list[Walk]
    tenants: dict[str, Row]
    contacts: dict[str, Row] = field(default_factory=dict)

    def read_contacts(
        self, session: ClientSession, contact_ids: Iterable[str], fields: Row | None = _REACHED
    ) -> None:
        """Read those contacts that are not there yet; `fields` None: with all they have."""
        missing = set(contact_ids) - set(self.contacts)
        if missing:
            found = collection(Contact).find(_among(missing), fields, session=session)
            self.contacts |= {row["_id"]: row for row in found}

    def contact(self, walk: Walk) -> Row | None:
        """Return the contact of an enrollment, of its own tenant, if it was read and is there."""
        row = self.contacts.get(walk.row["contact_id"])
        return row if row and row["tenant_id"] == walk.row["tenant_id"] else None


def load(session: ClientSession, enrollment_ids: Collection[str]) -> Batch:
    """Read enrollments with all that decides about them; those that are gone are left out."""
    stages = [{"$match": _among(enrollment_ids)}, *_BESIDE]
    walks: list[Walk] = []
    tenants: dict[str, Row] = {}
    for row in collection(Enrollment).aggregate(stages, session=session):
        beside = {name: row.pop(name) for name in ("campaign", "tenant", "messages", "facts")}
        tenants |= {tenant["_id"]: tenant for tenant in beside["tenant"]}
        if beside["campaign"]:
            walks.append(_walk(row, beside))
    return Batch(list(enrollment_ids), walks, tenants)


def _walk(row: Row, beside: dict[str, list[Row]]) -> Walk:
    [campaign] = beside["campaign"]
    is_paused = any(tenant.get("outreach_paused") for tenant in beside["tenant"])
    return Walk(
        dict(row),
        row,
        campaign,
        is_open=campaign["status"] == "active" and not is_paused,
        messages={message["node_id"]: message for message in beside["messages"]},
        facts=[_fact(event) for event in beside["facts"]],
    )


def _beside(
    model: Any, name: str, own: str, foreign: str, fields: Row, wanted: Row | None = None
) -> Row:
    """Return the stage that reads from `model` what belongs to each enrollment."""
    return {
        "$lookup": {
            "from": model._meta["collection"],
            "localField": own,
            "foreignField": foreign,
            "pipeline": [{"$match": wanted or {}}, {"$project": fields}],
            "as": name,
        }
    }


#: What is read beside enrollments: who lets them move, what was sent to them, and what has come
#: of it that has not led anywhere yet.
_BESIDE = [
    _beside(Campaign, "campaign", "campaign_id", "_id", {"description": 0}),
    _beside(Tenant, "tenant", "tenant_id", "_id", {"paused_reason": 0}),
    _beside(
        OutboundMessage,
        "messages",
        "_id",
        "enrollment_id",
        {"node_id": 1, "state": 1, "sent_at": 1},
    ),
    _beside(
        OutreachEvent,
        "facts",
        "_id",
        "enrollment_id",
        {"message_id": 1, "type": 1, "occurred_at": 1, "proved": 1},
        # What programs do leads nowhere, and may be any number.
        {"type": {"$nin": list(TIMER_EVENTS)}, "led_to": None, "is_machine": {"$ne": True}},
    ),
]


def _fact(row: Row) -> Fact:
    return Fact(
        event_id=row["_id"],
        type=row["type"],
        occurred_at=row["occurred_at"],
        message_id=row["message_id"],
        has_proven=row.get("proved", False),
    )


def _transition(before: Row, after: Row, trigger: str, reason: str, by: str, event_id: str) -> Row:
    return {
        "_id": f"{after['_id']}:{after['state_version']}",
        "tenant_id": after["tenant_id"],
        "campaign_id": after["campaign_id"],
        "enrollment_id": after["_id"],
        "state_version": after["state_version"],
        "trigger": trigger,
        "from_status": before["status"],
        "to_status": after["status"],
        "from_node": before.get("node_id"),
        "to_node": after.get("node_id"),
        "event_id": event_id or None,
        "reason": reason[:500] or None,
        "by": by or None,
    }


def _among(ids: Iterable[str]) -> Row:
    return {"_id": {"$in": list(ids)}}
