"""The Suppressions page: addresses that a tenant does not write to; adding one, lifting one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from models.outreach import CHANNELS, SUPPRESSION_REASONS
from pipeline.outreach import suppressions as service
from pipeline.outreach.contact_fields import email, phone
from pipeline.outreach.reading import suppressions
from pipeline.outreach.reading.pages import Page
from pipeline.outreach.reading.suppressions import Filter, SuppressionRow
from pipeline.refusals import Refused
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    framed,
    on_tenant,
    one_of,
    paged,
    revealing,
    said,
    scope,
    tabs,
)
from pipeline.web.pages import Done, Visit, action, page

_KEPT = ("reason", "channel", "address")
_LABELS = {"": "All"} | {
    reason: reason.replace("_", " ").capitalize() for reason in SUPPRESSION_REASONS
}
_LIST = f"{TENANT}/suppressions"


def _wanted(visit: Visit) -> Filter:
    return Filter(
        channel=one_of(visit, "channel", CHANNELS),
        reason=one_of(visit, "reason", SUPPRESSION_REASONS),
        address=said(visit, "address"),
    )


def _listed(visit: Visit, *, reveal: bool = False) -> Page[SuppressionRow]:
    tenant_id, after = visit.path["tenant_id"], said(visit, "after")
    return suppressions.listed(
        tenant_id, PER_PAGE, after=after, wanted=_wanted(visit), reveal=reveal
    )


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id, wanted = visit.path["tenant_id"], _wanted(visit)

    def read() -> dict[str, Any]:
        return {
            **paged(visit, _KEPT, _listed(visit)),
            "tabs": tabs(visit, _KEPT, "reason", _LABELS, suppressions.counts(tenant_id)),
        }

    return framed(visit, "/suppressions", read) | {
        "wanted": wanted,
        "scope": scope(visit, _KEPT),
    }


def _line(row: SuppressionRow) -> str:
    return f"{row.address}  {row.suppression['reason']}"


_reveal = revealing(_KEPT, partial(_listed, reveal=True), _line, "Addresses")


def _add(visit: Visit, tenant_id: str) -> Done:
    channel = visit.said("channel")
    if channel not in CHANNELS:
        raise Refused("channel", f"expected one of {', '.join(CHANNELS)}")
    checked = email if channel == "email" else phone
    service.suppress(
        None,
        tenant_id,
        channel,
        checked(visit.said("address"), "address"),
        reason="manual",
        source="admin",
        note=visit.said("note")[:500],
        by=visit.principal.name,
    )
    return Done("Nothing is sent to this address any more.", {"channel": channel})


def _lift(visit: Visit, tenant_id: str) -> Done:
    service.lift(tenant_id, visit.path["suppression_id"], by=visit.principal.name)
    return Done("The address may be written to again.", {"reason": visit.said("reason")})


routes = [
    page(_LIST, "outreach/suppressions", _read, title="Suppressions", nav="outreach", seconds=5),
    action(_LIST, on_tenant(_add), name="suppression.add"),
    action(f"{_LIST}/reveal", _reveal, name="outreach.reveal_suppressions"),
    action(f"{_LIST}/{{suppression_id:id}}/lift", on_tenant(_lift), name="suppression.lift"),
]
