"""All pages about outreach, as one part of the application."""

from pipeline.web.admin.outreach import (
    campaign,
    campaign_form,
    campaigns,
    contacts,
    deliveries,
    enrollments,
    imports,
    messages,
    plan,
    scheduled,
    senders,
    suppressions,
    tenants,
)

routes = [
    *tenants.routes,
    *campaigns.routes,
    *campaign.routes,
    *plan.routes,
    *campaign_form.routes,
    *enrollments.routes,
    *scheduled.routes,
    *messages.routes,
    *senders.routes,
    *contacts.routes,
    *imports.routes,
    *contacts.one_routes,
    *suppressions.routes,
    *deliveries.routes,
]
