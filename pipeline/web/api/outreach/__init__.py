"""Outreach of a tenant: its senders, contacts and campaigns, what is sent, what comes of it."""

from pipeline.web.api.outreach import (
    campaign_acts,
    campaigns,
    contacts,
    deliveries,
    enrollments,
    imports,
    messages,
    plans,
    scheduled,
    senders,
    suppressions,
    tenants,
)

routers = tuple(
    part.router
    for part in (
        *(tenants, senders, contacts, imports, campaigns, campaign_acts, plans),
        *(enrollments, scheduled, messages, deliveries, suppressions),
    )
)
