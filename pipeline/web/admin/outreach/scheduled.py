"""The Scheduled page: what is to happen next in a tenant's campaigns, when, and why then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.outreach.reading import scheduled
from pipeline.outreach.reading.scheduled import Filter
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    as_asked,
    campaign_choices,
    framed,
    on_tenant,
    one_of,
    paged,
    revealed,
    said,
    scope,
    sender_choices,
    tabs,
)
from pipeline.web.pages import Done, Visit, action, page

_KEPT = ("kind", "campaign", "sender")
_LABELS = {"": "All", "send": "Messages", "timeout": "Ends of waits"}
_LIST = f"{TENANT}/scheduled"


def _wanted(visit: Visit) -> Filter:
    return Filter(
        campaign_id=said(visit, "campaign"),
        sender_id=said(visit, "sender"),
        kind=one_of(visit, "kind", ("send", "timeout")),
    )


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id, wanted = visit.path["tenant_id"], _wanted(visit)

    def read() -> dict[str, Any]:
        found = scheduled.listed(tenant_id, PER_PAGE, after=said(visit, "after"), wanted=wanted)
        return {
            **paged(visit, _KEPT, found),
            "campaigns": campaign_choices(tenant_id),
            "senders": sender_choices(tenant_id),
        }

    return framed(visit, "/scheduled", read) | {
        "wanted": wanted,
        "tabs": tabs(visit, _KEPT, "kind", _LABELS),
        "scope": scope(visit, _KEPT),
    }


def _reveal(visit: Visit, tenant_id: str) -> Done:
    """Show whom the things on the page will happen to, once, to who asks."""
    asked = as_asked(visit, _KEPT)
    found = scheduled.listed(
        tenant_id, PER_PAGE, after=said(asked, "after"), wanted=_wanted(asked), reveal=True
    )
    lines = [f"{r.action['due_at']:%Y-%m-%d %H:%M} UTC  {r.what}: {r.who}" for r in found.rows]
    return revealed(visit, "Contacts", lines)


routes = [
    page(_LIST, "outreach/scheduled", _read, title="Scheduled", nav="outreach"),
    action(f"{_LIST}/reveal", on_tenant(_reveal), name="outreach.reveal_scheduled"),
]
