"""What a tenant has set for its outreach, and pausing all of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Body, Request
from pydantic import BaseModel, Field

from pipeline.outreach import campaigns, tenants
from pipeline.stores import Row
from pipeline.web.api.common import Payload, acting, stores
from pipeline.web.api.outreach.common import (
    ACTS,
    READS,
    AnyTenant,
    OfTenant,
    Reason,
    Writes,
    routed,
)

router = routed("outreach tenants")

_Limit = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class OutreachTenant(BaseModel):
    """What a tenant has set; what is null is as the settings of Headrace say."""

    id: str = Field(description="Its id.")
    name: str | None = Field(description="What messages call it: `tenant.name`.")
    postal_address: str | None = Field(description="Goes into mail: `tenant.postal_address`.")
    sends_per_hour: int | None = Field(description="Messages in any hour, over all its senders.")
    domain_sends_per_hour: int | None = Field(
        description="Messages in any hour to one domain of recipients."
    )
    outreach_paused: bool = Field(description="While it is, nothing is sent and nobody moves on.")
    paused_reason: str | None = Field(description="Why it is paused, as somebody gave it.")
    paused_by: str | None = Field(description="Who has paused it.")
    paused_at: datetime | None = Field(description="When it was paused.")


class OutreachTenantChanges(Payload):
    """What is to change; what is left out stays as it is, null removes it."""

    name: str | None = Field(default=None, max_length=200, description="What messages call it.")
    postal_address: str | None = Field(
        default=None, max_length=500, description="Where mail can reach it, in one line or several."
    )
    sends_per_hour: _Limit | None = Field(
        default=None, description="Messages in any hour, over all its senders; 0: none."
    )
    domain_sends_per_hour: _Limit | None = Field(
        default=None, description="Messages in any hour to one domain of recipients; 0: none."
    )


@router.get("", dependencies=READS)
def get_outreach_tenant(tenant: OfTenant) -> OutreachTenant:
    """Tell what a tenant has set for its outreach, and whether it is paused."""
    return _view(tenants.get(tenant))


@router.patch("", responses=ACTS)
def set_outreach_tenant(
    request: Request, caller: Writes, tenant: AnyTenant, wanted: OutreachTenantChanges
) -> OutreachTenant:
    """Change what a tenant has set; one that nothing is known of begins with this."""
    changes = wanted.model_dump(exclude_unset=True)
    with acting(request, caller, "outreach_tenant.set", f"tenant {tenant}"):
        row = tenants.update(tenant, changes, by=caller.actor)
    return _view(row)


@router.post("/pause", dependencies=[stores("redis")])
def pause_outreach_tenant(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    wanted: Annotated[Reason, Body(default_factory=Reason)],
) -> OutreachTenant:
    """Have nothing of a tenant's sent, and nobody move on in any of its campaigns."""
    with acting(request, caller, "outreach_tenant.pause", f"tenant {tenant}", reason=wanted.reason):
        campaigns.pause_tenant(tenant, by=caller.actor, reason=wanted.reason)
    return _view(tenants.get(tenant))


@router.post("/resume", dependencies=[stores("redis")])
def resume_outreach_tenant(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    wanted: Annotated[Reason, Body(default_factory=Reason)],
) -> OutreachTenant:
    """Let the campaigns of a tenant go on; what came due meanwhile is done now."""
    target = f"tenant {tenant}"
    with acting(request, caller, "outreach_tenant.resume", target, reason=wanted.reason):
        campaigns.resume_tenant(tenant, by=caller.actor, reason=wanted.reason)
    return _view(tenants.get(tenant))


def _view(row: Row) -> OutreachTenant:
    return OutreachTenant(id=row["_id"], **{k: v for k, v in row.items() if k != "_id"})
