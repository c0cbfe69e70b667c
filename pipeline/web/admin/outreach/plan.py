"""The Plan page of a campaign: its versions, checking a plan, and publishing it as the next one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.outreach import campaigns as service
from pipeline.outreach import plans
from pipeline.outreach.reading import campaigns
from pipeline.outreach.reading import plans as reading
from pipeline.outreach.reading.campaigns import CampaignRow
from pipeline.refusals import Refused
from pipeline.web.admin.outreach.campaign import (
    ONE,
    framed_campaign,
    on_campaign,
    url_of_campaign,
)
from pipeline.web.admin.outreach.common import said
from pipeline.web.admin.outreach.drawing import drawn
from pipeline.web.admin.outreach.forms import json_object
from pipeline.web.pages import Done, NotFound, Visit, action, page
from pipeline.web.templating import render

#: More problems than this do not help to find the first.
_MOST_TOLD = 12
#: What the form begins with where there is no plan yet: short, but all of it can be sent.
EXAMPLE = {
    "version": "1.0",
    "timezone": "Europe/Berlin",
    "quietHours": {"start": "21:00", "end": "08:00"},
    "startNodeId": "hello",
    "nodes": [
        {
            "id": "hello",
            "channel": "email",
            "action": "send",
            "subject": "Hello {{ contact.first_name }}",
            "body": "We have something for you: https://example.com",
            "transitions": [
                {"on": "clicked", "to": "stop", "within": "P7D"},
                {"on": "no_open", "to": "again", "after": "P3D"},
            ],
        },
        {
            "id": "again",
            "channel": "email",
            "action": "send",
            "subject": "Did you see this?",
            "body": "It is still there: https://example.com",
            "transitions": [{"on": "no_click", "to": "stop", "after": "P7D"}],
        },
    ],
}


def _read(visit: Visit) -> Mapping[str, Any]:
    number = _number(visit)

    def read(row: CampaignRow) -> dict[str, Any]:
        tenant_id = row.campaign["tenant_id"]
        view = reading.of_campaign(tenant_id, row.id, number)
        return {
            "versions": campaigns.versions(tenant_id, row.id),
            "plan": view,
            "drawing": drawn(view.nodes) if view else None,
            "text": _text(view.plan if view else EXAMPLE),
        }

    return framed_campaign(visit, "/plan", read) | {"number": number}


def _number(visit: Visit) -> int | None:
    text = said(visit, "version")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise NotFound("There is no such version of the plan.")
    return int(text)


def _text(plan: Mapping[str, Any]) -> str:
    return json.dumps(plan, indent=2, ensure_ascii=False)


def _check(visit: Visit, _tenant_id: str, _campaign_id: str) -> Done:
    """Show what is wrong with a plan, and how it would look."""
    checked = plans.check(json_object(visit, "plan"))
    nodes = reading.of_plan(plans.canonical(checked.plan)) if checked.plan else []
    html = render(
        "admin/outreach/_plan_checked.html",
        checked=checked,
        nodes=nodes,
        drawing=drawn(nodes) if nodes else None,
    )
    return Done("Checked.", {"problems": len(checked.errors)}, html=html)


def _publish(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
    raw = json_object(visit, "plan")
    try:
        number = service.publish(tenant_id, campaign_id, raw, by=visit.principal.name)
    except plans.InvalidPlan as error:
        raise Refused("plan", _told(error)) from None
    told = f"It is version {number}: contacts that begin from now on are taken through it."
    return Done(told, {"version": number}, url_of_campaign(tenant_id, campaign_id))


def _told(error: plans.InvalidPlan) -> str:
    """Return what is wrong with a plan, a line for each problem."""
    lines = [f"{one.path or 'the plan'}: {one.message}" for one in error.problems[:_MOST_TOLD]]
    more = len(error.problems) - _MOST_TOLD
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


routes = [
    page(f"{ONE}/plan", "outreach/plan", _read, title="Plan", nav="outreach", seconds=3600),
    action(f"{ONE}/plan/check", on_campaign(_check), name="campaign.check_plan"),
    action(f"{ONE}/plan/publish", on_campaign(_publish), name="campaign.publish"),
]
