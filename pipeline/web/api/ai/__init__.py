"""AI of a tenant: what it is asked, what it answers, and what that takes."""

from pipeline.web.api.ai import asking, reading

routers = (reading.router, asking.router)
