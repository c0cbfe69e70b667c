"""Campaigns: list, see, make, change, delete, and what came of their messages."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from pipeline.outreach import campaigns as service
from pipeline.outreach.reading import campaigns as reading
from pipeline.outreach.reading import plans, stats
from pipeline.web.api.common import Limit, acting, stores
from pipeline.web.api.outreach.campaign_views import (
    CampaignChanges,
    CampaignDetail,
    CampaignList,
    CampaignView,
    CampaignWanted,
    campaign_view,
    plan_detail,
)
from pipeline.web.api.outreach.common import (
    ACTS,
    READS,
    CampaignId,
    Cursor,
    OfTenant,
    Writes,
    at_leisure,
    location,
    placed,
    routed,
)
from pipeline.web.api.outreach.stats_views import (
    CampaignStatsView,
    campaign_stats_view,
    stats_view,
)

router = routed("outreach campaigns", "/campaigns")


@router.get("", dependencies=READS)
def list_campaigns(
    tenant: OfTenant,
    status: Annotated[
        Literal["draft", "active", "paused", "stopped"] | None,
        Query(description="Only those of this status."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CampaignList:
    """List campaigns, the newest first."""
    with placed():
        page = reading.listed(tenant, limit, after=cursor or "", status=status or "")
    shown = [campaign_view(one) for one in page.rows]
    return CampaignList(campaigns=shown, next=page.next or None)


@router.post("", status_code=201, responses=ACTS)
def create_campaign(
    request: Request, caller: Writes, tenant: OfTenant, response: Response, wanted: CampaignWanted
) -> CampaignView:
    """Make a draft; it gets a plan by `POST …/plans`, and contacts by `POST …/enrollments`."""
    values = wanted.model_dump(exclude_none=True)
    with acting(request, caller, "campaign.create", f"tenant {tenant}") as row:
        campaign_id = service.create(tenant, **values, by=caller.actor)
        row.details["campaign"] = campaign_id
    response.headers["Location"] = location(request, tenant, "campaigns", campaign_id)
    return campaign_view(reading.find(tenant, campaign_id))


@router.get("/{campaign:id}", dependencies=READS)
def get_campaign(tenant: OfTenant, campaign: CampaignId) -> CampaignDetail:
    """Tell of one campaign, with its plan, who is where in it, and what came of its messages."""
    found = campaign_view(reading.find(tenant, campaign))
    plan = plans.of_campaign(tenant, campaign)
    return CampaignDetail(
        **found.model_dump(),
        plan=plan_detail(plan) if plan else None,
        stats=stats_view(stats.of_campaign(tenant, campaign).total),
    )


@router.patch("/{campaign:id}", responses=ACTS, dependencies=[stores("redis")])
def change_campaign(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    campaign: CampaignId,
    wanted: CampaignChanges,
) -> CampaignView:
    """Change a campaign; what waits to be sent goes by its new sender."""
    changes = wanted.model_dump(exclude_unset=True)
    with acting(request, caller, "campaign.update", f"campaign {campaign}"):
        service.update(tenant, campaign, **changes, by=caller.actor)
    return campaign_view(reading.find(tenant, campaign))


@router.delete("/{campaign:id}", status_code=204, responses=ACTS)
def delete_campaign(
    request: Request, caller: Writes, tenant: OfTenant, campaign: CampaignId
) -> None:
    """Delete a draft; one that was ever started can only be stopped."""

    def act() -> None:
        with acting(request, caller, "campaign.delete", f"campaign {campaign}"):
            service.delete(tenant, campaign, by=caller.actor)

    at_leisure(request, act)


@router.get("/{campaign:id}/stats", dependencies=READS)
def get_campaign_stats(
    tenant: OfTenant,
    campaign: CampaignId,
    days: Annotated[int, Query(ge=1, le=366, description="So many days, one by one.")] = 30,
) -> CampaignStatsView:
    """Tell what came of the messages of a campaign: in all, by node and by day."""
    reading.find(tenant, campaign)
    by_day = stats.days(tenant, campaign, days)
    return campaign_stats_view(stats.of_campaign(tenant, campaign), by_day)
