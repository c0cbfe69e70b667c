"""The Outreach page: which tenants there are; and what a tenant has set, and pausing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import User
from pipeline.outreach import campaigns as service
from pipeline.outreach import tenants
from pipeline.outreach.reading import campaigns, messages
from pipeline.outreach.reading import tenants as reading
from pipeline.stores import collection
from pipeline.web.admin.outreach.common import HOME, TENANT, framed, on_tenant, url_of
from pipeline.web.admin.outreach.forms import number
from pipeline.web.pages import Conflict, Done, Visit, action, page
from pipeline.web.stores import part

_TEXTS = ("name", "postal_address")
_LIMITS = ("sends_per_hour", "domain_sends_per_hour")


def _read_all(_: Visit) -> Mapping[str, Any]:
    return {"found": part("mongodb", _all, keep="outreach tenants"), "home": HOME}


def _all() -> list[dict[str, Any]]:
    """Return those that have to do with outreach, and those that users are of."""
    found = reading.listed()
    of_users = set(collection(User).distinct("tenant_id")) - {row["_id"] for row in found}
    return [
        {
            "tenant": tenant,
            "url": url_of(tenant["_id"]),
            "campaigns": campaigns.counts(tenant["_id"]),
            "messages": messages.counts(tenant["_id"]),
        }
        for tenant in [*found, *map(tenants.get, sorted(of_users))]
    ]


def _read(visit: Visit) -> Mapping[str, Any]:
    return framed(visit, "/settings", dict)


def _save(visit: Visit, tenant_id: str) -> Done:
    changes: dict[str, Any] = {name: visit.said(name) for name in _TEXTS}
    limits = {name: number(visit, name) for name in _LIMITS}
    tenants.update(tenant_id, changes | limits, by=visit.principal.name)
    return Done("It is set.", location=f"{url_of(tenant_id)}/settings")


def _pause(visit: Visit, tenant_id: str) -> Done:
    if tenants.get(tenant_id)["outreach_paused"]:
        raise Conflict("It is paused already.")
    service.pause_tenant(tenant_id, by=visit.principal.name, reason=visit.said("reason"))
    told = "Nothing of this tenant is sent any more, and no contact moves on."
    return Done(told, {"reason": visit.said("reason")})


def _resume(visit: Visit, tenant_id: str) -> Done:
    if not tenants.get(tenant_id)["outreach_paused"]:
        raise Conflict("It is not paused.")
    service.resume_tenant(tenant_id, by=visit.principal.name, reason=visit.said("reason"))
    return Done("It goes on: what has come due meanwhile is done now, as far as limits let it.")


routes = [
    page(HOME, "outreach/tenants", _read_all, title="Outreach", nav="outreach", seconds=5),
    page(
        f"{TENANT}/settings",
        "outreach/settings",
        _read,
        title="Settings",
        nav="outreach",
        seconds=10,
    ),
    action(f"{TENANT}/settings/save", on_tenant(_save), name="outreach_tenant.set"),
    action(f"{TENANT}/pause", on_tenant(_pause), name="outreach_tenant.pause"),
    action(f"{TENANT}/resume", on_tenant(_resume), name="outreach_tenant.resume"),
]
