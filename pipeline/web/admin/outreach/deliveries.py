"""The Deliveries page: what providers told us, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.outreach.events.deliveries import reopen
from pipeline.outreach.reading import deliveries
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    address,
    framed,
    on_tenant,
    one_of,
    paged,
    said,
    tabs,
)
from pipeline.web.pages import Conflict, Done, Visit, action, page
from pipeline.words import counted

_KEPT = ("status", "all")
_STATUSES = ("received", "processed", "partial", "failed")
_LABELS = {"": "All"} | {status: status.capitalize() for status in _STATUSES}
_LIST = f"{TENANT}/deliveries"


def _read(visit: Visit) -> Mapping[str, Any]:
    status, everybody = one_of(visit, "status", _STATUSES), bool(said(visit, "all"))
    whose = None if everybody else visit.path["tenant_id"]

    def read() -> dict[str, Any]:
        found = deliveries.listed(whose, PER_PAGE, after=said(visit, "after"), status=status)
        return paged(visit, _KEPT, found)

    return framed(visit, "/deliveries", read) | {
        "status": status,
        "everybody": everybody,
        "other": address(visit, _KEPT, all="" if everybody else "1"),
        "tabs": tabs(visit, _KEPT, "status", _LABELS),
    }


def _read_one(visit: Visit) -> Mapping[str, Any]:
    # One that could not be read is of no tenant, and is shown to whoever looks for it.
    return framed(
        visit, "/deliveries", lambda: {"row": deliveries.find(None, visit.path["delivery_id"])}
    )


def _again(visit: Visit, _tenant_id: str) -> Done:
    """Have one that was set aside be worked through again, or all that were, of all tenants."""
    opened = reopen(visit.path.get("delivery_id", ""))
    if not opened:
        raise Conflict("None is set aside.")
    told = f"{counted(opened, 'request')} will be worked through within about a minute."
    return Done(told, {"deliveries": opened})


routes = [
    page(_LIST, "outreach/deliveries", _read, title="Deliveries", nav="outreach", seconds=3),
    page(
        f"{_LIST}/{{delivery_id:id}}",
        "outreach/delivery",
        _read_one,
        title="Delivery",
        nav="outreach",
    ),
    action(f"{_LIST}/again", on_tenant(_again), name="deliveries.again"),
    action(f"{_LIST}/{{delivery_id:id}}/again", on_tenant(_again), name="delivery.again"),
]
