"""Tenants that have anything to do with outreach."""

from __future__ import annotations

from models import DEFAULT_TENANT, Campaign, Contact, SenderIdentity, Tenant
from pipeline.outreach import tenants
from pipeline.stores import Row, collection


def listed() -> list[Row]:
    """Return all tenants that have set something, a sender, a contact or a campaign, by id."""
    known = set(collection(Tenant).distinct("_id"))
    for model in (SenderIdentity, Contact, Campaign):
        known |= set(collection(model).distinct("tenant_id"))
    return [tenants.get(tenant_id) for tenant_id in sorted(known | {DEFAULT_TENANT})]
