"""Campaigns: made, changed, given a plan, and started, paused or stopped.

Refusals are Permanent and name the field; a campaign that is not the tenant's is Gone.  Every
act is audited with `by`, who did it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo.client_session import ClientSession

from models import Campaign, Enrollment, EnrollmentTransition, PlanVersion
from models.outreach import CHANNELS
from pipeline.audit import noted
from pipeline.errors import Permanent
from pipeline.outreach import plans
from pipeline.outreach.campaign_rows import filled, find
from pipeline.outreach.campaign_status import (
    activate,
    pause,
    pause_tenant,
    resume,
    resume_tenant,
    stop,
)
from pipeline.outreach.promoting import nudge_settling
from pipeline.outreach.readiness import NotReady, problems_of, readiness
from pipeline.outreach.transactions import transaction
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

__all__ = [
    "NotReady",
    "activate",
    "create",
    "delete",
    "pause",
    "pause_tenant",
    "publish",
    "readiness",
    "resume",
    "resume_tenant",
    "stop",
    "update",
]


def create(tenant_id: str, *, name: str, description: str = "", by: str, **senders: Any) -> str:
    """Make a draft without a plan, and return its id.

    `senders` are email_sender_id and sms_sender_id.  Raises Refused.
    """
    now = datetime.now(UTC)
    campaign_id = secrets.token_hex(8)
    fresh = {
        "_id": campaign_id,
        "tenant_id": tenant_id,
        "status": "draft",
        "plan_version": 0,
        "created_by": by,
        "created_at": now,
    }
    row = filled(fresh, {"name": name, "description": description, **senders}, now)
    with noted(by, "campaign.create", f"campaign {campaign_id}", tenant_id=tenant_id):
        collection(Campaign).insert_one(row)
    return campaign_id


def update(tenant_id: str, campaign_id: str, *, by: str, **changes: Any) -> Row:
    """Change name, description or senders of a campaign, and return it.

    What waits to be sent goes by the new sender.  Raises Gone, Refused.
    """
    said = ", ".join(sorted(changes))

    def work(session: ClientSession) -> Row:
        now = datetime.now(UTC)
        before = find(tenant_id, campaign_id, session)
        after = filled(before, changes, now)
        if any(
            before.get(f"{channel}_sender_id") != after.get(f"{channel}_sender_id")
            for channel in CHANNELS
        ):
            after |= _with_new_sender(before, after, now, session)
        collection(Campaign).replace_one({"_id": campaign_id}, after, session=session)
        return after

    with noted(by, "campaign.update", f"campaign {campaign_id}", fields=said):
        row = transaction(work)
    if row.get("settle_due_at"):
        nudge_settling([campaign_id])
    return row


def publish(tenant_id: str, campaign_id: str, plan: Mapping[str, Any], *, by: str) -> int:
    """Give a campaign a plan, and return its number; the same as before gets no new one.

    Contacts that have begun stay with the plan that they began with.
    Raises Gone, plans.InvalidPlan, Refused if the campaign is stopped, NotReady if it is under
    way and could not be with this plan.
    """
    read = plans.read(plan)
    digest = plans.digest(read)

    def work(session: ClientSession) -> int:
        campaign = find(tenant_id, campaign_id, session)
        newest = {"campaign_id": campaign_id, "number": campaign["plan_version"]}
        same = collection(PlanVersion).find_one(newest, {"hash": 1}, session=session)
        if same is not None and same["hash"] == digest:
            return int(campaign["plan_version"])
        _check_plan_fits(campaign, read)
        return _add_version(session, campaign, plans.canonical(read), digest, by)

    with noted(by, "campaign.publish", f"campaign {campaign_id}") as entry:
        number = transaction(work)
        entry.details["version"] = number
    return number


def delete(tenant_id: str, campaign_id: str, *, by: str) -> None:
    """Delete a draft with the contacts in it.  Raises Gone, Permanent if it was ever started.

    Whoever dies in between leaves a draft, to be deleted again.
    """
    mine = {"campaign_id": campaign_id, "tenant_id": tenant_id}

    def work(session: ClientSession) -> bool:
        campaign = find(tenant_id, campaign_id, session)
        if campaign["status"] != "draft":
            raise Permanent(f"it is {campaign['status']}: only drafts can be deleted; stop it")
        if collection(Enrollment).find_one(mine, {"_id": 1}, session=session):
            return False  # some were added meanwhile, or it is the first look
        for model in (EnrollmentTransition, PlanVersion):
            collection(model).delete_many(mine, session=session)
        collection(Campaign).delete_one({"_id": campaign_id}, session=session)
        return True

    with noted(by, "campaign.delete", f"campaign {campaign_id}"):
        while not transaction(work):
            # Also those that were stopped before the campaign has begun with them.
            collection(Enrollment).delete_many(mine | {"started_at": None})


def _with_new_sender(before: Row, campaign: Row, now: datetime, session: ClientSession) -> Row:
    """Return what else is set when senders change: what is scheduled is looked through.

    Raises NotReady if the campaign is under way and could not go on so, Refused if contacts may
    be under way by an earlier plan that could not.
    """
    if campaign["status"] not in ("active", "paused"):
        return {}
    problems = problems_of(campaign, plans.stored(campaign["_id"], campaign["plan_version"]))
    if problems:
        raise NotReady(problems)
    used = {"campaign_id": campaign["_id"]}
    sent_by = collection(PlanVersion).distinct("plan.nodes.channel", used, session=session)
    for channel in sent_by:
        field = f"{channel}_sender_id"
        if before.get(field) and not campaign.get(field):
            raise Refused(field, f"an earlier plan sends {channel}: choose another sender for it")
    return {"settle_due_at": now, "settle_after": ""}


def _check_plan_fits(campaign: Row, plan: plans.Plan) -> None:
    if campaign["status"] == "stopped":
        raise Refused("status", "the campaign is stopped: make a new one for another plan")
    if campaign["status"] != "draft":
        problems = problems_of(campaign, plan)
        if problems:
            raise NotReady(problems)


def _add_version(session: ClientSession, campaign: Row, plan: Row, digest: str, by: str) -> int:
    now = datetime.now(UTC)
    number = int(campaign["plan_version"]) + 1
    version = {
        "_id": f"{campaign['_id']}:{number}",
        "tenant_id": campaign["tenant_id"],
        "campaign_id": campaign["_id"],
        "number": number,
        "plan": plan,
        "hash": digest,
        "created_by": by,
        "created_at": now,
    }
    collection(PlanVersion).insert_one(version, session=session)
    collection(Campaign).update_one(
        {"_id": campaign["_id"]},
        {"$set": {"plan_version": number, "updated_at": now}},
        session=session,
    )
    return number
