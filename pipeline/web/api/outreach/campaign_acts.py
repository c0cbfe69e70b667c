"""What is done with campaigns: started, paused, resumed, stopped; contacts are put into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Body, Request
from pydantic import BaseModel, Field

from pipeline.errors import Gone
from pipeline.outreach import campaigns as service
from pipeline.outreach import enrolling
from pipeline.outreach.enrolling import Enrolled
from pipeline.outreach.reading import campaigns as reading
from pipeline.outreach.reading import contacts
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import Payload, acting, stores
from pipeline.web.api.outreach.campaign_views import CampaignView, Readiness, campaign_view
from pipeline.web.api.outreach.common import (
    ACTS,
    READS,
    CampaignId,
    OfTenant,
    Reason,
    Writes,
    at_leisure,
    routed,
)
from pipeline.web.api.problems import invalid
from pipeline.web.api.refusals import problems_of_plan

router = routed("outreach campaigns", "/campaigns/{campaign:id}")

_REDIS = [stores("redis")]
_Because = Annotated[Reason, Body(default_factory=Reason)]


class EnrollWanted(Payload):
    """Who is put into a campaign: some contacts, those of an import, or all."""

    contact_ids: list[Annotated[str, Field(max_length=64)]] | None = Field(
        default=None, min_length=1, max_length=1000, description="These contacts."
    )
    import_id: str | None = Field(
        default=None, max_length=64, description="The contacts that an import has made or changed."
    )
    all_contacts: bool = Field(
        default=False, strict=True, description="All contacts of the tenant."
    )


class EnrolledView(BaseModel):
    """What became of those who were to be put into a campaign."""

    added: int = Field(description="Contacts that were put into it.")
    already: int = Field(description="Contacts that are in it, or were once: nobody begins twice.")
    refused: int = Field(description="Ids of no contact of the tenant, or of a forgotten one.")


@router.get("/readiness", dependencies=READS)
def get_readiness(tenant: OfTenant, campaign: CampaignId) -> Readiness:
    """Tell whether a campaign can be started, and what speaks against it."""
    found = problems_of_plan(service.readiness(tenant, campaign))
    return Readiness(is_ready=not found, problems=found)


@router.post("/activate", responses=ACTS, dependencies=_REDIS)
def activate_campaign(
    request: Request, caller: Writes, tenant: OfTenant, campaign: CampaignId, wanted: _Because
) -> CampaignView:
    """Start a draft: its contacts are begun with.  A refusal names all that speaks against it."""
    return _acted(request, caller, tenant, campaign, service.activate, wanted)


@router.post("/pause", responses=ACTS, dependencies=_REDIS)
def pause_campaign(
    request: Request, caller: Writes, tenant: OfTenant, campaign: CampaignId, wanted: _Because
) -> CampaignView:
    """Have nothing of a campaign sent, and nobody in it move on."""
    return _acted(request, caller, tenant, campaign, service.pause, wanted)


@router.post("/resume", responses=ACTS, dependencies=_REDIS)
def resume_campaign(
    request: Request, caller: Writes, tenant: OfTenant, campaign: CampaignId, wanted: _Because
) -> CampaignView:
    """Let a paused campaign go on; what came due meanwhile is done now."""
    return _acted(request, caller, tenant, campaign, service.resume, wanted)


@router.post("/stop", responses=ACTS, dependencies=_REDIS)
def stop_campaign(
    request: Request, caller: Writes, tenant: OfTenant, campaign: CampaignId, wanted: _Because
) -> CampaignView:
    """End a campaign and all in it, for good."""
    return _acted(request, caller, tenant, campaign, service.stop, wanted)


@router.post("/enrollments", responses=ACTS, dependencies=_REDIS)
def enroll_contacts(
    request: Request, caller: Writes, tenant: OfTenant, campaign: CampaignId, wanted: EnrollWanted
) -> EnrolledView:
    """Put contacts into a campaign; those of an active one are begun with.  Safe to repeat."""
    _check(tenant, wanted)

    def act() -> Enrolled:
        with acting(request, caller, "campaign.enroll", f"campaign {campaign}"):
            by = caller.actor
            if wanted.contact_ids:
                return enrolling.enroll(tenant, campaign, wanted.contact_ids, by=by)
            return enrolling.enroll_all(tenant, campaign, wanted.import_id, by=by)

    done = at_leisure(request, act)
    return EnrolledView(added=done.added, already=done.already, refused=done.refused)


def _acted(
    request: Request,
    caller: Caller,
    tenant_id: str,
    campaign_id: str,
    act: Callable[..., None],
    wanted: Reason,
) -> CampaignView:
    name, why = act.__name__, wanted.reason
    with acting(request, caller, f"campaign.{name}", f"campaign {campaign_id}", reason=why):
        act(tenant_id, campaign_id, by=caller.actor, reason=why)
    return campaign_view(reading.find(tenant_id, campaign_id))


def _check(tenant_id: str, wanted: EnrollWanted) -> None:
    """Raise Refused unless one of the three is said, and is there."""
    said = [wanted.contact_ids is not None, wanted.import_id is not None, wanted.all_contacts]
    if sum(said) != 1:
        problem = "are to be said in one way" if any(said) else "are not said"
        raise invalid("contact_ids", problem, "give contact_ids, import_id, or all_contacts: true")
    if wanted.import_id is not None:
        try:
            contacts.one_import(tenant_id, wanted.import_id)
        except Gone:
            raise invalid("import_id", "is of no import", "give the id of one") from None
