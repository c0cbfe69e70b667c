"""All pages about Microsoft 365 mailboxes, as one part of the application."""

from pipeline.web.admin.mailboxes import (
    audit,
    events,
    listing,
    notifications,
    overview,
    patterns,
    rules,
    settings,
    staged,
    tenants,
)

routes = [
    *listing.routes,
    *tenants.routes,
    *overview.routes,
    *events.routes,
    *patterns.routes,
    *rules.routes,
    *staged.routes,
    *audit.routes,
    *notifications.routes,
    *settings.routes,
]
