"""What keeps mail from being acted upon; asked when a rule matches, and before each act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import TenantPolicy
from pipeline.mailbox.matching import domain_of
from pipeline.stores import Row, collection


def why_paused(user: Mapping[str, Any] | None, mailbox: Mapping[str, Any]) -> str | None:
    """Return why nothing may be done in a mailbox now, or None if it may.

    Whatever a row lacks is as its model has it: users are active, mailboxes connected.
    """
    if user is None:
        return "its user is gone"
    if user.get("is_active") is False:
        return "its user is not active"
    if mailbox.get("is_connected") is False:
        return "the mailbox is not connected"
    if (user.get("preferences") or {}).get("automation_paused"):
        return "its user has paused automation"
    if (mailbox.get("settings") or {}).get("automation_paused"):
        return "automation of the mailbox is paused"
    return None


def whitelisted(
    mailbox: Mapping[str, Any], policy: Mapping[str, Any] | None, sender_email: str
) -> bool:
    """Return whether mail of a sender must be left alone, by the mailbox or by its tenant.

    A domain is that of the address itself; those below it are others.
    """
    sender = sender_email.strip().lower()
    domain = domain_of(sender)
    return any(
        sender in (whose.get("whitelisted_senders") or ())
        or (domain and domain in (whose.get("whitelisted_domains") or ()))
        for whose in (mailbox.get("settings") or {}, policy or {})
    )


def policy_of(tenant_id: str) -> Row | None:
    """Return what a tenant has set for the mail of its users, if anything."""
    return collection(TenantPolicy).find_one({"_id": tenant_id})
