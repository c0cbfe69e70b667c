"""How campaigns and their plans are told, and what may be set of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from pipeline.outreach.reading.campaigns import CampaignRow
from pipeline.outreach.reading.plans import NodeView, PlanView
from pipeline.stores import Row
from pipeline.web.api.common import Payload
from pipeline.web.api.outreach.common import NEXT, picked
from pipeline.web.api.outreach.stats_views import StatsView, stats_view
from pipeline.web.api.problems import FieldProblem


class CampaignChanges(Payload):
    """What is to change; what is left out stays as it is, null removes it."""

    name: str | None = Field(default=None, max_length=200, description="For lists.")
    description: str | None = Field(default=None, max_length=2000, description="What it is for.")
    email_sender_id: str | None = Field(
        default=None, max_length=400, description="The sender of its mail."
    )
    sms_sender_id: str | None = Field(
        default=None, max_length=400, description="The sender of its SMS."
    )


class CampaignWanted(CampaignChanges):
    """A campaign; it begins as a draft without a plan."""

    name: str = Field(min_length=1, max_length=200, description="For lists.")


class CampaignView(BaseModel):
    """A plan and the contacts that are taken through it."""

    id: str = Field(description="Its id.")
    name: str = Field(description="Its name in lists.")
    description: str | None = Field(description="What it is for.")
    status: str = Field(description="draft, active, paused or stopped.")
    status_reason: str | None = Field(description="Why it is so, as somebody gave it.")
    status_by: str | None = Field(description="Who has made it so.")
    status_at: datetime | None = Field(description="Since when it is so.")
    plan_version: int = Field(description="The newest version of its plan; 0: there is none.")
    email_sender_id: str | None = Field(description="The sender of its mail.")
    sms_sender_id: str | None = Field(description="The sender of its SMS.")
    enrollments: dict[str, int] = Field(
        description="How many contacts are pending, active, paused, completed, stopped, error."
    )
    is_settling: bool = Field(description="Whether its contacts are still brought in line with it.")
    activated_at: datetime | None = Field(description="When it was started.")
    created_by: str = Field(description="Who has made it.")
    created_at: datetime = Field(description="When it was made.")
    updated_at: datetime = Field(description="When it last changed.")


class CampaignList(BaseModel):
    """A page of campaigns, the newest first."""

    campaigns: list[CampaignView] = Field(description="The campaigns.")
    next: str | None = Field(description=NEXT)


class EdgeView(BaseModel):
    """What leads from a node to another."""

    to: str = Field(description="The id of a node, or `stop`.")
    on: str = Field(description="The event that leads there.")
    rule: str = Field(description="When it does, in words.")


class PlanNodeView(BaseModel):
    """A node of a plan, who is there, and what came of its messages."""

    id: str = Field(description="Its id in the plan.")
    action: str = Field(description="send, wait or stop.")
    channel: str | None = Field(description="email or sms, of one that sends.")
    when: str | None = Field(description="When its message goes out, in words.")
    is_start: bool = Field(description="Whether contacts begin here.")
    contacts: dict[str, int] = Field(
        description="How many contacts are here, or ended here, by the status of their enrollment."
    )
    stats: StatsView = Field(description="What came of its messages.")
    edges: list[EdgeView] = Field(description="Where it leads; the first that fits is followed.")


class VersionView(BaseModel):
    """A version of a plan, which never changes."""

    number: int = Field(description="1 for the first one.")
    hash: str = Field(description="SHA-256 of the plan as JSON with sorted keys.")
    created_by: str = Field(description="Who has published it.")
    created_at: datetime = Field(description="When it was published.")


class VersionList(BaseModel):
    """All versions of a campaign's plan, the newest first."""

    versions: list[VersionView] = Field(description="The versions.")


class PlanDetail(BaseModel):
    """A version of a plan, with what has become of it."""

    number: int = Field(description="Its number.")
    plan: dict[str, Any] = Field(description="The plan as it was published, in camelCase.")
    nodes: list[PlanNodeView] = Field(description="Its nodes, in the order of the plan.")


class CampaignDetail(CampaignView):
    """A campaign with its plan, and what came of its messages."""

    plan: PlanDetail | None = Field(description="The newest version; null: there is none yet.")
    stats: StatsView = Field(description="Of all its messages.")


class PlanChecked(BaseModel):
    """Whether a plan can be published."""

    is_valid: bool = Field(description="Whether it can be.")
    errors: list[FieldProblem] = Field(description="What has to be mended, by path in the plan.")
    warnings: list[FieldProblem] = Field(description="What may not be as it was meant, by path.")


class Readiness(BaseModel):
    """Whether a campaign can be started."""

    is_ready: bool = Field(description="Whether it can be.")
    problems: list[FieldProblem] = Field(
        description="What speaks against it: by field of the campaign, or path in the plan."
    )


_SAME = (
    *("name", "description", "status", "status_reason", "status_by", "status_at"),
    *("plan_version", "email_sender_id", "sms_sender_id", "activated_at"),
    *("created_by", "created_at", "updated_at"),
)


def campaign_view(one: CampaignRow) -> CampaignView:
    """Return what is told of a campaign in a list."""
    row = one.campaign
    return CampaignView(
        **picked(row, _SAME),
        id=one.id,
        enrollments=one.enrollments,
        is_settling=bool(row.get("settle_due_at")),
    )


def version_view(row: Row) -> VersionView:
    """Return what is told of a version in a list."""
    return VersionView(**{name: row[name] for name in VersionView.model_fields})


def plan_detail(view: PlanView) -> PlanDetail:
    """Return what is told of a version of a plan."""
    return PlanDetail(number=view.number, plan=view.plan, nodes=[_node(one) for one in view.nodes])


def _node(node: NodeView) -> PlanNodeView:
    return PlanNodeView(
        id=node.id,
        action=node.action,
        channel=node.channel or None,
        when=node.when or None,
        is_start=node.is_start,
        contacts=node.contacts,
        stats=stats_view(node.stats),
        edges=[EdgeView(to=edge.to, on=edge.on, rule=edge.rule) for edge in node.edges],
    )
