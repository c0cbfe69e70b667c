"""Who is in a campaign, where, and what happened to them; pausing and stopping one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Body, Query, Request
from pydantic import BaseModel, Field

from pipeline.outreach import enrollments as service
from pipeline.outreach.reading import enrollments as reading
from pipeline.outreach.reading import timeline
from pipeline.outreach.reading.enrollments import EnrollmentRow, Filter
from pipeline.outreach.reading.timeline import Moment
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import Limit, acting, stores
from pipeline.web.api.outreach.common import (
    ACTS,
    MASKED,
    NEXT,
    Cursor,
    EnrollmentId,
    OfTenant,
    Reads,
    Reason,
    Writes,
    only,
    picked,
    placed,
    reveals,
    routed,
)

router = routed("outreach enrollments", "/enrollments")

_REDIS = [stores("redis")]
_Because = Annotated[Reason, Body(default_factory=Reason)]


class EnrollmentView(BaseModel):
    """One contact in one campaign."""

    id: str = Field(description="Its id.")
    campaign_id: str = Field(description="The id of the campaign.")
    campaign: str = Field(description="The name of the campaign.")
    contact_id: str = Field(description="The id of the contact.")
    who: str = Field(description=f"The contact's address. {MASKED}")
    name: str | None = Field(description=f"The contact's name. {MASKED}")
    plan_version: int = Field(description="The version of the plan that it goes by.")
    status: str = Field(description="pending, active, paused, completed, stopped or error.")
    reason: str | None = Field(description="Why it has this status.")
    node_id: str | None = Field(description="The node that it is at; null before it has begun.")
    node_entered_at: datetime | None = Field(description="Since when it is there.")
    sent_at: datetime | None = Field(description="When the message of this node was sent.")
    message_id: str | None = Field(description="The message that was last claimed or sent.")
    state_version: int = Field(description="Grows with every change of status or node.")
    started_at: datetime | None = Field(description="When it began.")
    ended_at: datetime | None = Field(description="When it ended.")
    created_at: datetime = Field(description="When it was put into the campaign.")
    updated_at: datetime = Field(description="When it last changed.")


class EnrollmentList(BaseModel):
    """A page of enrollments."""

    enrollments: list[EnrollmentView] = Field(description="The enrollments.")
    next: str | None = Field(description=NEXT)


class MomentView(BaseModel):
    """Something that happened, or is to happen."""

    at: datetime = Field(description="When it happened, or is to happen.")
    kind: str = Field(description="transition, message, event, or scheduled: it is to happen.")
    text: str = Field(description="What, in words.")
    node_id: str | None = Field(description="At which node.")
    message_id: str | None = Field(description="Of which message.")
    because: str | None = Field(
        description="Why it is due then, or what came of an event that led nowhere."
    )
    recorded_at: datetime | None = Field(description="When it was learnt of, if much later.")


class EnrollmentDetail(EnrollmentView):
    """An enrollment with what happened to it."""

    timeline: list[MomentView] = Field(
        description="What happened, the first first, then what is scheduled."
    )


@router.get("")
def list_enrollments(
    caller: Reads,
    tenant: OfTenant,
    campaign_id: Annotated[str, only("campaign")] = "",
    contact_id: Annotated[str, only("contact")] = "",
    status: Annotated[
        Literal["pending", "active", "paused", "completed", "stopped", "error"] | None,
        Query(description="Only those of this status."),
    ] = None,
    node_id: Annotated[str, only("node")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> EnrollmentList:
    """List enrollments: of one campaign in the order of ids, else those that changed last first."""
    wanted = Filter(campaign_id, contact_id, status or "", node_id)
    reveal = reveals(caller)
    with placed():
        page = reading.listed(tenant, limit, after=cursor or "", wanted=wanted, reveal=reveal)
    return EnrollmentList(enrollments=[_view(one) for one in page.rows], next=page.next or None)


@router.get("/{enrollment:id}")
def get_enrollment(caller: Reads, tenant: OfTenant, enrollment: EnrollmentId) -> EnrollmentDetail:
    """Tell of one enrollment: what happened to it and why, and what is to happen next."""
    return _detail(caller, tenant, enrollment)


@router.post("/{enrollment:id}/pause", responses=ACTS, dependencies=_REDIS)
def pause_enrollment(
    request: Request, caller: Writes, tenant: OfTenant, enrollment: EnrollmentId, wanted: _Because
) -> EnrollmentDetail:
    """Have a contact stay where it is in a campaign."""
    return _acted(request, caller, tenant, enrollment, service.pause, wanted)


@router.post("/{enrollment:id}/resume", responses=ACTS, dependencies=_REDIS)
def resume_enrollment(
    request: Request, caller: Writes, tenant: OfTenant, enrollment: EnrollmentId, wanted: _Because
) -> EnrollmentDetail:
    """Let a paused contact go on; what came due meanwhile is done now."""
    return _acted(request, caller, tenant, enrollment, service.resume, wanted)


@router.post("/{enrollment:id}/stop", responses=ACTS, dependencies=_REDIS)
def stop_enrollment(
    request: Request, caller: Writes, tenant: OfTenant, enrollment: EnrollmentId, wanted: _Because
) -> EnrollmentDetail:
    """End a contact's way through a campaign, for good."""
    return _acted(request, caller, tenant, enrollment, service.stop, wanted)


def _acted(
    request: Request,
    caller: Caller,
    tenant_id: str,
    enrollment_id: str,
    act: Callable[..., None],
    wanted: Reason,
) -> EnrollmentDetail:
    name, why = act.__name__, wanted.reason
    with acting(request, caller, f"enrollment.{name}", f"enrollment {enrollment_id}", reason=why):
        act(tenant_id, enrollment_id, by=caller.actor, reason=why)
    return _detail(caller, tenant_id, enrollment_id)


def _detail(caller: Caller, tenant_id: str, enrollment_id: str) -> EnrollmentDetail:
    reveal = reveals(caller)
    found = _view(reading.find(tenant_id, enrollment_id, reveal=reveal))
    moments = timeline.of(tenant_id, enrollment_id, reveal=reveal)
    return EnrollmentDetail(**found.model_dump(), timeline=[_moment(one) for one in moments])


_SAME = (
    *("campaign_id", "contact_id", "plan_version", "status", "reason", "node_id"),
    *("node_entered_at", "sent_at", "message_id", "state_version", "started_at", "ended_at"),
    *("created_at", "updated_at"),
)


def _view(one: EnrollmentRow) -> EnrollmentView:
    return EnrollmentView(
        **picked(one.enrollment, _SAME),
        id=one.id,
        campaign=one.campaign,
        who=one.who,
        name=one.name or None,
    )


def _moment(one: Moment) -> MomentView:
    return MomentView(
        at=one.at,
        kind=one.kind,
        text=one.text,
        node_id=one.node_id or None,
        message_id=one.message_id or None,
        because=one.because or None,
        recorded_at=one.recorded_at,
    )
