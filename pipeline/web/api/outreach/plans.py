"""Plans: checked, published as a version of a campaign's, and seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Body, Depends, Path, Request, Response

from pipeline.outreach import campaigns as service
from pipeline.outreach import plans
from pipeline.outreach.plans import examples
from pipeline.outreach.reading import campaigns as campaign_reading
from pipeline.outreach.reading import plans as reading
from pipeline.web.api.callers import allowed
from pipeline.web.api.common import acting
from pipeline.web.api.outreach.campaign_views import (
    PlanChecked,
    PlanDetail,
    VersionList,
    plan_detail,
    version_view,
)
from pipeline.web.api.outreach.common import (
    ACTS,
    READS,
    CampaignId,
    OfTenant,
    Writes,
    known_tenant,
    location,
    routed,
)
from pipeline.web.api.problems import invalid, not_found
from pipeline.web.api.refusals import problems_of_plan

router = routed("outreach plans")

#: No plan has more levels than this, by far.
_MOST_LEVELS = 20
_Number = Annotated[
    int, Path(ge=1, le=1_000_000, description="The number of a version, 1 for the first one.")
]
_Plan = Annotated[
    dict[str, Any],
    Body(
        description="A plan: `startNodeId` and `nodes`, each of which sends a message, waits or "
        "stops, and has `transitions` on events: delivered, opened, clicked, replied, no_open, "
        "no_click, bounced, spam_report, unsubscribed. Durations are ISO 8601, at most 4 MB.",
        examples=[examples.welcome()],
    ),
]


@router.post("/plan-checks", dependencies=[allowed("outreach:write"), Depends(known_tenant)])
def check_plan(plan: _Plan) -> PlanChecked:
    """Tell what is wrong with a plan, by path in it; nothing is kept."""
    _check_levels(plan)
    checked = plans.check(plan)
    return PlanChecked(
        is_valid=checked.plan is not None,
        errors=problems_of_plan(checked.errors),
        warnings=problems_of_plan(checked.warnings),
    )


@router.get("/campaigns/{campaign:id}/plans", dependencies=READS)
def list_plans(tenant: OfTenant, campaign: CampaignId) -> VersionList:
    """List the versions of a campaign's plan, the newest first."""
    campaign_reading.find(tenant, campaign)
    found = campaign_reading.versions(tenant, campaign)
    return VersionList(versions=[version_view(row) for row in found])


@router.post("/campaigns/{campaign:id}/plans", status_code=201, responses=ACTS)
def publish_plan(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    campaign: CampaignId,
    response: Response,
    plan: _Plan,
) -> PlanDetail:
    """Give a campaign a plan; the same as before gets no new version.

    Contacts that have begun stay with the version that they began with.
    """
    _check_levels(plan)
    with acting(request, caller, "campaign.publish", f"campaign {campaign}"):
        number = service.publish(tenant, campaign, plan, by=caller.actor)
    path = location(request, tenant, "campaigns", campaign)
    response.headers["Location"] = f"{path}/plans/{number}"
    return _found(tenant, campaign, number)


@router.get("/campaigns/{campaign:id}/plans/{number}", dependencies=READS)
def get_plan(tenant: OfTenant, campaign: CampaignId, number: _Number) -> PlanDetail:
    """Tell of one version of a campaign's plan, who is where, and what came of its messages."""
    campaign_reading.find(tenant, campaign)
    return _found(tenant, campaign, number)


def _found(tenant_id: str, campaign_id: str, number: int) -> PlanDetail:
    view = reading.of_campaign(tenant_id, campaign_id, number)
    if view is None:
        raise not_found("such version of the plan")
    return plan_detail(view)


def _check_levels(plan: Mapping[str, Any]) -> None:
    """Raise Refused for what is nested as no plan is: to read it could take the whole stack."""
    level: list[Any] = [plan]
    for _ in range(_MOST_LEVELS):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return
    raise invalid("plan", f"has more than {_MOST_LEVELS} levels", "give a plan")


def _within(value: Any) -> list[Any]:
    """Return what is in an object or a list, and has something in it in turn."""
    found = value.values() if isinstance(value, dict) else value
    return [one for one in found if isinstance(one, dict | list)]
