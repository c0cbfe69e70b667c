"""Beginning with contacts: whether they can be written to at all, and where they start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pymongo.client_session import ClientSession

from models import SenderIdentity
from pipeline.outreach import plans, suppressions, templates
from pipeline.outreach.batches import Batch, Walk
from pipeline.outreach.plans import Plan
from pipeline.outreach.readiness import SOME_LINK
from pipeline.stores import Row, collection

#: Which field of a contact is its address, by channel, and what it is called.
ADDRESS_FIELDS = {"email": "email", "sms": "phone"}
_ADDRESSES = {"email": "e-mail address", "sms": "telephone number"}


@dataclass(slots=True)
class _Checks:
    """What is asked about the contacts of a batch.

    `suppressed` are reasons by channel and address.  `fit` are which fields contacts have to whom
    all can be said: it is not looked again for those with the same.  A template that asks for a
    field only for some values of another is caught when its message is rendered.
    """

    senders: dict[str, Row]
    tenants: dict[str, Row]
    suppressed: dict[str, dict[str, str]] = field(default_factory=dict)
    fit: set[tuple[str, int, frozenset[str]]] = field(default_factory=set)


def start(session: ClientSession, batch: Batch, now: datetime) -> None:
    """Begin with the pending enrollments of a batch, of one tenant.

    Those whose contact cannot be written to end, with the reason.
    """
    walks = [walk for walk in batch.walks if walk.row["status"] == "pending" and walk.is_open]
    batch.read_contacts(session, {walk.row["contact_id"] for walk in walks}, None)
    checks = _checks(session, batch, walks)
    for walk in walks:
        version = walk.campaign["plan_version"]
        plan = plans.stored(walk.row["campaign_id"], version)
        objection = _objection(walk, plan, batch.contact(walk), checks)
        if objection is None:
            _begin(walk, plan, now)
        else:
            status, reason = objection
            walk.change("checked", now, now, status=status, reason=reason, plan_version=version)


def _begin(walk: Walk, plan: Plan, now: datetime) -> None:
    walk.change(
        "started",
        now,
        now,
        status="active",
        plan_version=walk.campaign["plan_version"],
        node_id=plan.start_node_id,
        node_entered_at=now,
        started_at=now,
    )
    if plan.node(plan.start_node_id).action == "stop":
        walk.change("started", now, now, status="completed", reason="the plan begins with its end")


def _objection(
    walk: Walk, plan: Plan, contact: Row | None, checks: _Checks
) -> tuple[str, str] | None:
    """Return how an enrollment ends that cannot be begun with, and why."""
    if contact is None or contact.get("forgotten_at"):
        return "error", "the contact is not there any more"
    for channel in sorted(plan.channels):
        address = contact.get(ADDRESS_FIELDS[channel])
        if not address:
            return "error", f"the contact has no {_ADDRESSES[channel]}"
        reason = checks.suppressed.get(channel, {}).get(address)
        if reason:
            return "stopped", f"its {_ADDRESSES[channel]} is suppressed: {reason}"
    lacks = _lacks(walk, plan, contact, checks)
    return ("error", lacks) if lacks else None


def _lacks(walk: Walk, plan: Plan, contact: Row, checks: _Checks) -> str | None:
    """Return what the templates of a plan lack for a contact, in words."""
    has = frozenset(_filled(contact))
    key = (walk.row["campaign_id"], walk.campaign["plan_version"], has)
    lacks = None if key in checks.fit else _unfit(walk, plan, contact, checks)
    if lacks is None:
        checks.fit.add(key)
    return lacks


def _unfit(walk: Walk, plan: Plan, contact: Row, checks: _Checks) -> str | None:
    tenant = checks.tenants.get(walk.row["tenant_id"])
    for node in plan.nodes:
        if node.action != "send":
            continue
        sender = checks.senders.get(walk.campaign.get(f"{node.channel}_sender_id") or "", {})
        values = templates.values_of(contact, sender, tenant, unsubscribe_url=SOME_LINK)
        try:
            templates.render(node, values)
        except (templates.MissingField, templates.TemplateProblem) as problem:
            return f"{node.id}: {problem}"
    return None


def _filled(contact: Row) -> Iterable[str]:
    """Yield the names of the fields that a contact has a value for."""
    yield from (name for name, value in contact.items() if value)
    yield from (f"fields.{name}" for name, value in (contact.get("fields") or {}).items() if value)


def _checks(session: ClientSession, batch: Batch, walks: list[Walk]) -> _Checks:
    sender_ids = {
        walk.campaign.get(f"{channel}_sender_id") for walk in walks for channel in ADDRESS_FIELDS
    }
    found = collection(SenderIdentity).find(
        {"_id": {"$in": sorted(filter(None, sender_ids))}}, session=session
    )
    checks = _Checks({row["_id"]: row for row in found}, batch.tenants)
    for channel, name in ADDRESS_FIELDS.items():
        addresses = {contact[name] for contact in batch.contacts.values() if contact.get(name)}
        if walks and addresses:
            tenant_id = walks[0].row["tenant_id"]
            found_here = suppressions.among(tenant_id, channel, addresses, session)
            checks.suppressed[channel] = found_here
    return checks
