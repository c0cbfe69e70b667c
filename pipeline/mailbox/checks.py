"""What speaks against an act at the moment of it: asked anew before each step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bson import ObjectId
from bson.errors import InvalidId

from models import Rule
from pipeline.mailbox import guards
from pipeline.mailbox.holding import Hold
from pipeline.stores import Row, collection

#: What a user asks for by themselves, and what takes back is no automation.
UNGUARDED = ("rescue", "undo")
#: A rule that could not be executed for so long is not: the mail has long been dealt with.
LONGEST_PAUSE = timedelta(hours=24)


class Objection(NamedTuple):
    """Why an act must not be done; `passes` if it may be later."""

    reason: str
    passes: bool = False


def objection(
    hold: Hold,
    kind: str,
    rule_id: str | None,
    sender_email: Callable[[], str],
    planned_at: datetime,
) -> Objection | None:
    """Return what speaks against an act on mail of a sender now, or None.

    Reads how user, mailbox, tenant and rule are set at this moment; the sender is asked
    for only if that matters.
    """
    hold.refresh()
    if kind in UNGUARDED:
        reason = None if hold.leaving else why_unreachable(hold)
        return Objection(reason, passes=True) if reason else None
    paused = guards.why_paused(hold.user, hold.mailbox)
    if paused:
        return _pause(paused, kind, planned_at)
    if _is_too_late(kind, planned_at):
        return Objection("it could not be done for too long")
    policy = guards.policy_of(str(hold.mailbox.get("tenant_id")))
    if guards.whitelisted(hold.mailbox, policy, sender_email()):
        return Objection("its sender is whitelisted")
    return _of_rule(hold, rule_id)


def why_unreachable(hold: Hold) -> str | None:
    """Return why not even what a user asks for can be done in a mailbox, or None."""
    bare: Row = {"preferences": {}, "settings": {}}
    return guards.why_paused(hold.user and {**hold.user, **bare}, {**hold.mailbox, **bare})


def rule_of(hold: Hold, rule_id: str | None) -> Row | None:
    """Return a rule, if it is the mailbox's own or of its tenant."""
    try:
        rule = collection(Rule).find_one({"_id": ObjectId(rule_id)})
    except InvalidId:
        return None
    if rule is None:
        return None
    if rule.get("scope") == "org":
        return rule if rule.get("tenant_id") == hold.mailbox.get("tenant_id") else None
    return rule if rule.get("mailbox_id") == hold.mailbox_id else None


def _pause(reason: str, kind: str, planned_at: datetime) -> Objection:
    if _is_too_late(kind, planned_at):
        return Objection("automation was paused for too long")
    return Objection(reason, passes=True)


def _is_too_late(kind: str, planned_at: datetime) -> bool:
    """Return whether mail must have been dealt with since; staged mail still waits for it."""
    return kind != "execute" and datetime.now(UTC) - planned_at > LONGEST_PAUSE


def _of_rule(hold: Hold, rule_id: str | None) -> Objection | None:
    rule = rule_of(hold, rule_id)
    if rule is None:
        return Objection("its rule is gone")
    if not rule.get("is_enabled", True):
        return Objection("its rule is not enabled")
    return None
