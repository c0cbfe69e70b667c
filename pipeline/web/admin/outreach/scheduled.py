"""The Scheduled page: what is to happen next in a tenant's campaigns, when, and why then."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pipeline.outreach.reading import scheduled
from pipeline.outreach.reading.pages import Page
from pipeline.outreach.reading.scheduled import ActionRow, Filter
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    campaign_choices,
    framed,
    one_of,
    paged,
    revealing,
    said,
    scope,
    sender_choices,
    tabs,
)
from pipeline.web.pages import Visit, action, page

_KEPT = ("kind", "campaign", "sender")
_LABELS = {"": "All", "send": "Messages", "timeout": "Ends of waits"}
_LIST = f"{TENANT}/scheduled"


def _wanted(visit: Visit) -> Filter:
    return Filter(
        campaign_id=said(visit, "campaign"),
        sender_id=said(visit, "sender"),
        kind=one_of(visit, "kind", ("send", "timeout")),
    )


def _listed(visit: Visit, *, reveal: bool = False) -> Page[ActionRow]:
    tenant_id, after = visit.path["tenant_id"], said(visit, "after")
    return scheduled.listed(tenant_id, PER_PAGE, after=after, wanted=_wanted(visit), reveal=reveal)


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id, wanted = visit.path["tenant_id"], _wanted(visit)

    def read() -> dict[str, Any]:
        return {
            **paged(visit, _KEPT, _listed(visit)),
            "campaigns": campaign_choices(tenant_id),
            "senders": sender_choices(tenant_id),
        }

    return framed(visit, "/scheduled", read) | {
        "wanted": wanted,
        "tabs": tabs(visit, _KEPT, "kind", _LABELS),
        "scope": scope(visit, _KEPT),
    }


def _line(row: ActionRow) -> str:
    return f"{row.action['due_at']:%Y-%m-%d %H:%M} UTC  {row.what}: {row.who}"


_reveal = revealing(_KEPT, partial(_listed, reveal=True), _line, "Contacts")
routes = [
    page(_LIST, "outreach/scheduled", _read, title="Scheduled", nav="outreach"),
    action(f"{_LIST}/reveal", _reveal, name="outreach.reveal_scheduled"),
]
