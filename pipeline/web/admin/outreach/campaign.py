"""The page of a campaign: how it stands, its plan as a graph, what came of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from pipeline.outreach import campaigns as service
from pipeline.outreach.plans import canonical, stored
from pipeline.outreach.reading import campaigns, plans
from pipeline.outreach.reading.campaigns import CampaignRow
from pipeline.outreach.reading.plans import NodeView
from pipeline.outreach.reading.stats import OUTCOMES, Day, Stats
from pipeline.web.admin.outreach import figures
from pipeline.web.admin.outreach.campaigns import bar_of
from pipeline.web.admin.outreach.common import TENANT, framed, on_tenant, url_of
from pipeline.web.admin.outreach.drawing import drawn
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.paths import segment

ONE = f"{TENANT}/campaigns/{{campaign_id:id}}"
#: The pages of a campaign: the end of each address, and its name.
_PAGES = (("", "Overview"), ("/plan", "Plan"), ("/contacts", "Enroll"), ("/settings", "Settings"))
_CHARTED = {"sent": "first", "opened": "second", "clicked": "third"}

ReadCampaign = Callable[[CampaignRow], Mapping[str, Any]]


def url_of_campaign(tenant_id: str, campaign_id: str) -> str:
    """Return the address of a campaign."""
    return f"{url_of(tenant_id)}/campaigns/{segment(campaign_id)}"


def framed_campaign(visit: Visit, current: str, read: ReadCampaign) -> dict[str, Any]:
    """Return what the page `current` of a campaign is rendered with; see `framed`."""
    tenant_id, campaign_id = visit.path["tenant_id"], visit.path["campaign_id"]
    url = url_of_campaign(tenant_id, campaign_id)

    def both() -> dict[str, Any]:
        row = campaigns.find(tenant_id, campaign_id)
        return {"row": row, "campaign": row.campaign, **read(row)}

    context = framed(visit, current, both)
    found = context["found"].value
    return context | {
        "title": found[1]["campaign"]["name"] if found else "Campaign",
        "tenant_url": url_of(tenant_id),
        "url": url,
        "here": url + current,
        "steps_url": f"{url_of(tenant_id)}/enrollments?campaign={segment(campaign_id)}&node=",
        "sub": [
            {"label": label, "href": url + end, "current": end == current} for end, label in _PAGES
        ],
    }


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id, campaign_id = visit.path["tenant_id"], visit.path["campaign_id"]

    def read(row: CampaignRow) -> dict[str, Any]:
        [known] = figures.of_campaigns(tenant_id, [campaign_id])
        nodes = known.plan.nodes if known and known.plan else _uncounted(row)
        href = f"{url_of(tenant_id)}/enrollments?campaign={segment(campaign_id)}&status="
        is_over = row.campaign["status"] == "stopped"
        return {
            "bar": bar_of(row.enrollments, href),
            "known": known,
            "stats": known.total if known else Stats(),
            "nodes": nodes,
            "drawing": drawn(nodes) if nodes else None,
            "problems": [] if is_over else service.readiness(tenant_id, campaign_id),
            "days": _charted(known.days) if known else None,
        }

    return framed_campaign(visit, "", read) | {"outcomes": list(OUTCOMES)}


def _uncounted(row: CampaignRow) -> list[NodeView]:
    """Return the nodes of the newest plan, as if nobody were in it yet."""
    number = row.campaign["plan_version"]
    return plans.of_plan(canonical(stored(row.id, number))) if number else []


def _charted(days: Sequence[Day]) -> dict[str, Any]:
    return {
        "times": [_start_of(day.day) for day in days],
        "series": [
            {"label": name.capitalize(), "values": [getattr(day, name) for day in days], "kind": k}
            for name, k in _CHARTED.items()
        ],
    }


def _start_of(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time(), UTC).timestamp())


def on_campaign(act: Callable[[Visit, str, str], Done]) -> Callable[[Visit], Done]:
    """Have `act` called with the tenant and the campaign that the address names."""
    return on_tenant(lambda visit, tenant_id: act(visit, tenant_id, visit.path["campaign_id"]))


def _turned(turn: Callable[..., None], told: str) -> Callable[[Visit], Done]:
    """Return an action that changes the status of a campaign, for a reason."""

    def act(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
        reason = visit.said("reason")
        turn(tenant_id, campaign_id, by=visit.principal.name, reason=reason)
        return Done(told, {"reason": reason} if reason else {})

    return on_campaign(act)


routes = [
    page(ONE, "outreach/campaign", _read, title="Campaign", nav="outreach", seconds=3),
    action(
        f"{ONE}/activate",
        _turned(service.activate, "It is active: its contacts begin now."),
        name="campaign.activate",
    ),
    action(
        f"{ONE}/pause",
        _turned(service.pause, "It is paused: nothing is sent, and no contact moves on."),
        name="campaign.pause",
    ),
    action(
        f"{ONE}/resume",
        _turned(service.resume, "It goes on; what has come due meanwhile is done now."),
        name="campaign.resume",
    ),
    action(
        f"{ONE}/stop",
        _turned(service.stop, "It is stopped, for every contact and for good."),
        name="campaign.stop",
    ),
]
