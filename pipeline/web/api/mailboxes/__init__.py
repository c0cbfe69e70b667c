"""Mailboxes: what happens in them, what is learnt of it, and what is done."""

from pipeline.web.api.mailboxes import (
    boxes,
    notifications,
    patterns,
    preferences,
    rules,
    staged,
    tenants,
)

routers = tuple(
    part.router for part in (boxes, patterns, rules, staged, tenants, notifications, preferences)
)
