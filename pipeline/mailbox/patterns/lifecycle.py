"""What a person decides on a pattern: a rule does it from now on, or it is not asked again.

Each decision is written together with its row in the audit, if the pattern is still as it was
read.  An approval stands even if its rule cannot be made; to approve once more makes the rule
that is missing.  A rule that was left without its approval, because the process ended in
between, is deleted by whoever repeats the decision, else at night.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models import Pattern, Rule, User
from pipeline.errors import Gone, Permanent
from pipeline.mailbox import audit, guards, mailboxes, rules
from pipeline.mailbox.patterns.actions import action_of
from pipeline.mailbox.patterns.rows import change_of, is_open, owned, sender_of
from pipeline.mailbox.patterns.terms import setting
from pipeline.mailbox.rule_store import transaction
from pipeline.refusals import Refused
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class Approved:
    """An approval: the pattern, its rule, and why there is no rule if there is none."""

    pattern: Row
    rule_id: str | None = None
    problem: str | None = None


def approve(user_id: str, pattern_id: str, *, by: str) -> Approved:
    """Have a rule do from now on what the user does.  Safe to repeat.

    Raises Gone if the user has no such pattern, Refused if it cannot be approved now.
    """
    pattern = owned(user_id, pattern_id)
    check_open(pattern)
    if pattern["status"] != "approved":
        approved = {"status": "approved", "approved_at": datetime.now(UTC)}
        pattern = decided(pattern, approved, "pattern_approved", by)
    return _with_rule(pattern, by)


def customize(
    user_id: str,
    pattern_id: str,
    *,
    action_type: str,
    to_folder: str | None = None,
    category: str | None = None,
    by: str,
) -> Approved:
    """Have a rule do something else with such mail, also if it does anything already.

    Raises Gone if the user has no such pattern, Refused for an action that cannot be.
    """
    pattern = owned(user_id, pattern_id)
    check_open(pattern)
    folders = mailboxes.folders(mailboxes.find(pattern["mailbox_id"]))
    action = action_of(action_type, to_folder, category, folders)
    if pattern["status"] != "approved" or pattern["suggested_action"] != action:
        changes = {
            "suggested_action": action,
            "status": "approved",
            "approved_at": pattern.get("approved_at") or datetime.now(UTC),
        }
        pattern = decided(pattern, changes, "pattern_approved", by, customized=True)
    return _with_rule(pattern, by)


def unapprove(user_id: str, pattern_id: str, *, by: str) -> Row:
    """Take an approval back: its rule is deleted, and the pattern is a suggestion again.

    Safe to repeat.  Raises Gone if the user has no such pattern, Refused if it is closed.
    """
    pattern = owned(user_id, pattern_id)
    if not is_open(pattern):
        raise Refused("", f"it is {pattern['status']}, and not approved: there is nothing to undo")
    suggested = {"status": "suggested", "suggested_at": datetime.now(UTC)}
    return _withdrawn(pattern, suggested, "pattern_unapproved", by)


def reject(user_id: str, pattern_id: str, *, by: str, until: datetime | None = None) -> Row:
    """Have a pattern not suggested again until then: for the user's cooldown, if not said.

    A rule that came of it is deleted.  Safe to repeat.  Raises Gone if the user has no such
    pattern, Refused if it has expired.
    """
    pattern = owned(user_id, pattern_id)
    if pattern["status"] == "rejected" and until is None:
        return _settled(pattern, by).pattern
    if pattern["status"] == "expired":
        raise Refused("", "it has expired: nothing is suggested that could be rejected")
    now = datetime.now(UTC)
    user = collection(User).find_one({"_id": user_id}) or {}
    cooldown = timedelta(days=setting(user, "rejection_cooldown_days"))
    rejected = {
        "status": "rejected",
        "rejected_at": now,
        "rejection_cooldown_until": until or now + cooldown,
    }
    return _withdrawn(pattern, rejected, "pattern_rejected", by)


def delete_orphans(user_id: str, mailbox_id: str) -> int:
    """Delete rules whose patterns are approved no more; returns how many there were."""
    own = {"user_id": user_id, "mailbox_id": mailbox_id}
    of_patterns = own | {"source_pattern_id": {"$gt": ""}}
    sources = collection(Rule).distinct("source_pattern_id", of_patterns)
    kept = collection(Pattern).find(own | {"status": "approved"}, {"_id": 1}) if sources else ()
    orphans = set(sources) - {str(row["_id"]) for row in kept}
    return sum(rules.delete_for_pattern(user_id, one, audit.SCHEDULE) for one in sorted(orphans))


def check_open(pattern: Row) -> None:
    """Raise Refused for a pattern of which nothing can be approved, with what to do instead."""
    if not is_open(pattern):
        raise Refused(
            "",
            f"it is {pattern['status']}: it may be suggested anew by a later analysis; "
            "until then, make a rule of your own",
        )
    mailbox = mailboxes.find(pattern["mailbox_id"])
    policy = guards.policy_of(mailbox["tenant_id"])
    if guards.whitelisted(mailbox, policy, sender_of(pattern) or ""):
        raise Refused(
            "",
            "mail of this sender is on the whitelist and never acted upon; take it off there first",
        )


def decided(
    pattern: Row,
    changes: Row,
    action: str,
    by: str,
    *,
    unset: tuple[str, ...] = (),
    customized: bool = False,
) -> Row:
    """Change a pattern and write the audit's row, both or neither; return it as it is then.

    Raises Refused if somebody else has decided on it meanwhile.
    """
    was, update = change_of(pattern, changes, datetime.now(UTC), unset=unset)

    def write(session: ClientSession) -> Row | None:
        after = collection(Pattern).find_one_and_update(
            was, update, return_document=ReturnDocument.AFTER, session=session
        )
        if after is not None:
            audit.write(
                after["user_id"],
                action,
                "pattern",
                str(after["_id"]),
                actor=by,
                mailbox_id=after["mailbox_id"],
                tenant_id=after["tenant_id"],
                details=_said(after) | ({"customized": True} if customized else {}),
                session=session,
            )
        return after

    try:
        after = transaction(write)
    except DuplicateKeyError:
        raise Refused(
            "",
            "there is an open pattern of this sender with that action already; approve that one",
        ) from None
    if after is None:
        raise Refused("", "the pattern was changed meanwhile: look at it again")
    return after


def _said(pattern: Row) -> Row:
    """Return what the audit keeps of a pattern: what is done, not with whose mail."""
    return {
        "pattern_type": pattern["pattern_type"],
        "action_type": pattern["suggested_action"]["action_type"],
        "confidence": pattern["confidence"],
    }


def _with_rule(pattern: Row, by: str) -> Approved:
    """Make the rule of a pattern that was approved.  Raises Refused if it is so no more."""
    settled = _settled(pattern, by)
    if settled.pattern["status"] != "approved":
        raise Refused("", "somebody else has decided otherwise meanwhile: look at it again")
    return settled


def _withdrawn(pattern: Row, changes: Row, action: str, by: str) -> Row:
    """Change a pattern that is approved or suggested, and delete its rules, and no others."""
    if changes["status"] == "rejected" or pattern["status"] == "approved":
        pattern = decided(pattern, changes, action, by, unset=("approved_at",))
    return _settled(pattern, by).pattern


def _settled(pattern: Row, by: str) -> Approved:
    """Bring the rules of a pattern to what was decided on it, whoever decides meanwhile.

    Everybody who decides does this afterwards, and looks again when it is done: so whoever is
    last has seen the last decision.
    """
    user_id, pattern_id = pattern["user_id"], str(pattern["_id"])
    while True:
        rule_id, problem = None, None
        if pattern["status"] == "approved":
            try:
                rule_id = rules.from_pattern(pattern, by)
            except (Permanent, Gone) as error:
                problem = str(error)
        else:
            rules.delete_for_pattern(user_id, pattern_id, by)
        before, pattern = pattern, owned(user_id, pattern_id)
        if _decision(pattern) == _decision(before):
            return Approved(pattern, rule_id, problem)


def _decision(pattern: Row) -> tuple[bool, Row]:
    return pattern["status"] == "approved", pattern["suggested_action"]
