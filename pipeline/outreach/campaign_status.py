"""The status of campaigns and tenants: the gate that whoever acts asks for.

One write changes it, on condition of what it was: of two at once, such as an activation and a
stop, the later one finds what the first has made of it.  From then on nothing is sent against
it: everybody who acts reads it again right before.  `settle_campaign` then brings the
enrollments in line; if its job is lost, the tick finds `settle_due_at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from models import Campaign, Tenant
from models.outreach import CHANNELS
from pipeline.audit import noted
from pipeline.errors import Changed, Permanent
from pipeline.outreach.campaign_rows import find
from pipeline.outreach.promoting import nudge_settling
from pipeline.outreach.readiness import NotReady, readiness
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

#: What a settling that begins with all active enrollments goes on after.
_FROM_THE_START: Row = {"settle_after": ""}


def activate(tenant_id: str, campaign_id: str, *, by: str, reason: str = "") -> None:
    """Start a draft: its contacts are begun with.

    Raises Gone, NotReady with all problems, Permanent if it is no draft.
    """
    with noted(by, "campaign.activate", f"campaign {campaign_id}"):
        campaign = find(tenant_id, campaign_id)
        problems = readiness(tenant_id, campaign_id) if campaign["status"] == "draft" else []
        if problems:
            raise NotReady(problems)
        fields = {"activated_at": datetime.now(UTC)}
        _change(tenant_id, campaign_id, ("draft",), "active", by, reason, fields, _same(campaign))


def pause(tenant_id: str, campaign_id: str, *, by: str, reason: str = "") -> None:
    """Have nobody in a campaign move on.  Raises Gone, Permanent if it is not active."""
    with noted(by, "campaign.pause", f"campaign {campaign_id}"):
        _change(tenant_id, campaign_id, ("active",), "paused", by, reason)


def resume(tenant_id: str, campaign_id: str, *, by: str, reason: str = "") -> None:
    """Let a paused campaign go on; what came due meanwhile is done now.

    Raises Gone, Permanent if it is not paused.
    """
    with noted(by, "campaign.resume", f"campaign {campaign_id}"):
        _change(tenant_id, campaign_id, ("paused",), "active", by, reason, _FROM_THE_START)


def stop(tenant_id: str, campaign_id: str, *, by: str, reason: str = "") -> None:
    """End a campaign and all in it, for good.  Raises Gone."""
    with noted(by, "campaign.stop", f"campaign {campaign_id}"):
        under_way = ("draft", "active", "paused")
        _change(tenant_id, campaign_id, under_way, "stopped", by, reason)


def pause_tenant(tenant_id: str, *, by: str, reason: str = "") -> None:
    """Have nothing of a tenant's sent, and nobody move on in any of its campaigns."""
    with noted(by, "tenant.pause", f"tenant {tenant_id}"):
        _set_paused(tenant_id, by, reason, is_paused=True)


def resume_tenant(tenant_id: str, *, by: str, reason: str = "") -> None:
    """Let the campaigns of a tenant go on; what came due meanwhile is done now."""
    with noted(by, "tenant.resume", f"tenant {tenant_id}"):
        _set_paused(tenant_id, by, reason, is_paused=False)


def _change(
    tenant_id: str,
    campaign_id: str,
    allowed: Sequence[str],
    status: str,
    by: str,
    reason: str,
    fields: Row | None = None,
    unchanged: Row | None = None,
) -> None:
    """Set the status if it is one of `allowed`; one that has it already stays as it is.

    `unchanged` is what must still be as it was looked at.  Raises Gone, Permanent, Changed.
    """
    now = datetime.now(UTC)
    fresh = {
        "status": status,
        "status_reason": reason[:500] or None,
        "status_by": by,
        "status_at": now,
        "settle_due_at": now,
        "updated_at": now,
        **(fields or {}),
    }
    update: Row = {"$set": fresh}
    if "settle_after" not in fresh:
        update["$unset"] = {"settle_after": ""}
    mine = {"_id": campaign_id, "tenant_id": tenant_id, "status": {"$in": list(allowed)}}
    if not collection(Campaign).update_one(mine | (unchanged or {}), update).matched_count:
        found = find(tenant_id, campaign_id)["status"]
        if found in allowed:
            raise Changed("somebody has changed the campaign meanwhile; look at it again")
        if found != status:
            raise Permanent(f"it is {found}; only one that is {' or '.join(allowed)} can be this")
    nudge_settling([campaign_id])


def _same(campaign: Row) -> Row:
    """Return the query for a campaign whose plan and senders are still what was looked at."""
    names = ("plan_version", *(f"{channel}_sender_id" for channel in CHANNELS))
    return {name: campaign.get(name) for name in names}


def _set_paused(tenant_id: str, by: str, reason: str, *, is_paused: bool) -> None:
    """Set the gate of a tenant, then have its campaigns settled."""
    now = datetime.now(UTC)
    fresh = {
        "outreach_paused": is_paused,
        "paused_reason": reason[:500] if is_paused else None,
        "paused_by": by if is_paused else None,
        "paused_at": now if is_paused else None,
        "updated_at": now,
    }
    change = {"$set": fresh, "$setOnInsert": {"created_at": now}}
    active = {"tenant_id": tenant_id, "status": "active"}
    settle: Row = {"settle_due_at": now, **({} if is_paused else _FROM_THE_START)}

    def work(session: ClientSession) -> None:
        collection(Tenant).update_one({"_id": tenant_id}, change, upsert=True, session=session)
        collection(Campaign).update_many(active, {"$set": settle}, session=session)

    transaction(work)
    nudge_settling(str(row["_id"]) for row in collection(Campaign).find(active, {"_id": 1}))
