"""The campaigns of a tenant: how each is, and making one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.outreach import CAMPAIGN_STATUSES
from pipeline.outreach import campaigns as service
from pipeline.outreach.reading import campaigns
from pipeline.outreach.reading.campaigns import CampaignRow
from pipeline.web.admin.outreach import figures
from pipeline.web.admin.outreach.common import (
    TENANT,
    framed,
    on_tenant,
    one_of,
    paged,
    said,
    tabs,
    url_of,
)
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.paths import segment

#: Of each the messages are counted, which may take a while.
_PER_PAGE = 20
_KEPT = ("status",)
_LABELS = {"": "All"} | {status: status.capitalize() for status in CAMPAIGN_STATUSES}
#: The statuses of contacts that a bar tells apart, and what each means.
KINDS = {
    "pending": "idle",
    "active": "info",
    "paused": "later",
    "completed": "ok",
    "stopped": "warn",
    "error": "bad",
}


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id = visit.path["tenant_id"]
    status = one_of(visit, "status", CAMPAIGN_STATUSES)

    def read() -> dict[str, Any]:
        after = said(visit, "after")
        found = campaigns.listed(tenant_id, _PER_PAGE, after=after, status=status)
        counts = campaigns.counts(tenant_id)
        return {
            **paged(visit, _KEPT, found),
            "shown": _shown(tenant_id, found.rows),
            "tabs": tabs(visit, _KEPT, "status", _LABELS, counts),
        }

    return framed(visit, "", read) | {"status": status}


def _shown(tenant_id: str, rows: Sequence[CampaignRow]) -> list[dict[str, Any]]:
    counted = figures.of_campaigns(tenant_id, [row.id for row in rows])
    return [
        {
            "row": row,
            "url": f"{url_of(tenant_id)}/campaigns/{segment(row.id)}",
            "bar": bar_of(row.enrollments),
            "stats": known.total if known else None,
        }
        for row, known in zip(rows, counted, strict=True)
    ]


def bar_of(enrollments: Mapping[str, int], href: str = "") -> list[dict[str, Any]]:
    """Return the contacts of a campaign by status, to be drawn; `href` takes a status."""
    return [
        {
            "label": status,
            "value": enrollments.get(status, 0),
            "kind": kind,
            "href": href + status if href else "",
        }
        for status, kind in KINDS.items()
    ]


def _create(visit: Visit, tenant_id: str) -> Done:
    campaign_id = service.create(
        tenant_id,
        name=visit.said("name"),
        description=visit.said("description"),
        by=visit.principal.name,
    )
    location = f"{url_of(tenant_id)}/campaigns/{segment(campaign_id)}/plan"
    return Done("The campaign is there; now it needs a plan.", {"campaign": campaign_id}, location)


routes = [
    page(TENANT, "outreach/campaigns", _read, title="Campaigns", nav="outreach", seconds=5),
    action(f"{TENANT}/campaigns", on_tenant(_create), name="campaign.create"),
]
