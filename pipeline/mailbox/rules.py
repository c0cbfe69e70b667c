"""The rules of a mailbox: made, changed, ordered, deleted; each of it audited.

Everything that says what a rule is to do is checked here for API, UI and command line
alike; what needs no mailbox to be checked is refused by the model itself.  Refusals are
Refused, which names the field; a rule that is not the user's is Gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models import Rule
from pipeline.errors import Gone
from pipeline.mailbox import audit, circles, mailboxes, mirroring, rule_store, staging
from pipeline.mailbox.rule_content import changed_content, content
from pipeline.stores import Row, collection

_VERBS = {
    "delete": "Delete",
    "move": "Move",
    "archive": "Archive",
    "mark_read": "Mark read",
    "flag": "Flag",
    "categorize": "Categorize",
}


def create(
    user_id: str,
    mailbox_id: str,
    *,
    name: str,
    conditions: Mapping[str, Any],
    actions: Sequence[Mapping[str, Any]],
    by: str,
    skip_staging: bool = False,
    is_enabled: bool = True,
) -> str:
    """Make a rule, the last of its mailbox, and return its id.

    If one has the same conditions and kinds of action already, that one is enabled, and does
    what is asked here.  Raises Refused, Gone.
    """
    mailbox = own_mailbox(user_id, mailbox_id)
    said = {
        "name": name,
        "conditions": conditions,
        "actions": actions,
        "skip_staging": skip_staging,
        "is_enabled": is_enabled,
    }
    row = content(_new_row(mailbox, said, by), mailbox)
    alike = _alike(row)
    if alike is not None:
        again = {"actions": row["actions"], "skip_staging": skip_staging, "is_enabled": True}
        return str(_change(mailbox, str(alike["_id"]), lambda _: again, by)["_id"])
    return _inserted(row, mailbox, by)


def from_pattern(pattern: Row, by: str = "pattern") -> str:
    """Return the id of the rule that does what a pattern suggests; there is one per pattern.

    One that is there is enabled, and re-targeted if the pattern's action has changed.
    Raises Refused if the pattern's folder is gone.
    """
    mailbox = own_mailbox(str(pattern["user_id"]), str(pattern["mailbox_id"]))
    condition, action = pattern["condition"], pattern["suggested_action"]
    named = ("sender_email", "sender_domain", "from_folder")
    wanted = {name: condition[name] for name in named if condition.get(name)}
    target = condition.get("sender_email") or condition.get("sender_domain") or "a folder"
    name = f"Auto: {_VERBS[action['action_type']]} from {target}"[:200]
    said = {"name": name, "conditions": wanted, "actions": _actions_of_pattern(action)}
    row = _new_row(mailbox, said, by) | {"source_pattern_id": str(pattern["_id"])}
    row = content(row, mailbox)
    known = _of_pattern(row["user_id"], row["source_pattern_id"])
    if known is None:
        try:
            return _inserted(row, mailbox, by)
        except DuplicateKeyError:  # somebody else has approved it at the same time
            known = _of_pattern(row["user_id"], row["source_pattern_id"])
    if known is None:
        raise Gone("there is no such rule")
    asked = {"name": name, "actions": row["actions"], "is_enabled": True}
    if any(known.get(field) != value for field, value in asked.items()):
        _change(mailbox, str(known["_id"]), lambda _: asked, by)
    return str(known["_id"])


def delete_for_pattern(user_id: str, pattern_id: str, by: str) -> int:
    """Delete the rules that came of one pattern, and no other; return how many there were."""
    own = {"user_id": user_id, "source_pattern_id": pattern_id}
    rows = list(collection(Rule).find(own, {"_id": 1}))
    for row in rows:
        delete(user_id, str(row["_id"]), by=by)
    return len(rows)


def update(
    user_id: str, rule_id: str, changes: Mapping[str, Any], *, by: str, version: int | None = None
) -> Row:
    """Change fields of a rule and return it; with `version`, only if it still has that one.

    Raises Refused, Gone.
    """
    patch = changed_content(changes)
    mailbox = own_mailbox(user_id, str(get(user_id, rule_id)["mailbox_id"]))
    return _change(mailbox, rule_id, lambda _: patch, by, version)


def toggle(user_id: str, rule_id: str, is_enabled: bool, *, by: str) -> Row:
    """Enable a rule or not, and return it.  Raises Refused if it would forward in a circle."""
    return update(user_id, rule_id, {"is_enabled": is_enabled}, by=by)


def delete(user_id: str, rule_id: str, *, by: str) -> None:
    """Delete a rule: what it has staged is given back, what it was to do is skipped.

    It stops matching first; whoever dies in between leaves it disabled, to be deleted again.
    """
    rule = get(user_id, rule_id)
    own = {"user_id": user_id, "scope": "user"}
    rule_store.change(own, rule_id, lambda _: {"is_enabled": False}, None, lambda *_: None)
    staging.release_rule(user_id, rule_id, by)
    rule_store.remove(rule, _audited("rule_deleted", by), datetime.now(UTC))
    mirroring.remove(rule)


def reorder(user_id: str, mailbox_id: str, rule_ids: Sequence[str], *, by: str) -> None:
    """Give rules of a mailbox their order; those not named follow.  Raises Refused, Gone."""
    mailbox = own_mailbox(user_id, mailbox_id)

    def told(rule_ids: Sequence[str], session: ClientSession) -> None:
        audit.write(
            user_id,
            "rule_updated",
            "mailbox",
            mailbox_id,
            actor=by,
            mailbox_id=mailbox_id,
            details={"order": list(rule_ids)},
            session=session,
        )

    rule_store.reorder(_whose(mailbox), rule_ids, told, datetime.now(UTC))


def get(user_id: str, rule_id: str) -> Row:
    """Return a rule of a user.  Raises Gone."""
    return rule_store.find({"user_id": user_id, "scope": "user"}, rule_id)


def listed(user_id: str, mailbox_id: str | None = None) -> list[Row]:
    """Return the rules of a user, or of one mailbox, first to last."""
    whose: Row = {"user_id": user_id, "scope": "user"}
    return rule_store.in_order(whose | ({"mailbox_id": mailbox_id} if mailbox_id else {}))


def own_mailbox(user_id: str, mailbox_id: str) -> Row:
    """Return a mailbox of a user.  Raises Gone if it is not theirs."""
    mailbox = mailboxes.find(mailbox_id)
    if mailbox["user_id"] != user_id:
        raise Gone(f"there is no mailbox {mailbox_id!r}")
    return mailbox


def _whose(mailbox: Row) -> Row:
    return {"user_id": mailbox["user_id"], "mailbox_id": mailbox["_id"], "scope": "user"}


def _new_row(mailbox: Row, said: Mapping[str, Any], by: str) -> Row:
    now = datetime.now(UTC)
    return changed_content(said) | {
        "user_id": mailbox["user_id"],
        "tenant_id": mailbox["tenant_id"],
        "mailbox_id": mailbox["_id"],
        "created_by": by,
        "created_at": now,
        "updated_at": now,
    }


def _actions_of_pattern(action: Row) -> list[Row]:
    """Return what a habit's rule does: what is put away is marked as read too."""
    named = ("action_type", "to_folder", "category")
    acts: list[Row] = [{name: action[name] for name in named if action.get(name)} | {"order": 0}]
    if action["action_type"] in ("move", "archive"):
        acts.append({"action_type": "mark_read", "order": 1})
    return acts


def _alike(row: Row) -> Row | None:
    """Return the rule of the same mailbox that asks for the same, if any."""
    kinds = {action["action_type"] for action in row["actions"]}
    same = {"user_id": row["user_id"], "mailbox_id": row["mailbox_id"], "scope": "user"}
    for rule in rule_store.in_order(same):
        if rule["conditions"] == row["conditions"] and kinds == {
            action["action_type"] for action in rule["actions"]
        }:
            return rule
    return None


def _of_pattern(user_id: str, pattern_id: str) -> Row | None:
    return collection(Rule).find_one({"user_id": user_id, "source_pattern_id": pattern_id})


def _inserted(row: Row, mailbox: Row, by: str) -> str:
    def write(session: ClientSession) -> Row:
        circles.refuse(row, mailbox, session)
        fresh = row | {"priority": rule_store.next_priority(_whose(mailbox), session)}
        collection(Rule).insert_one(fresh, session=session)
        _audited("rule_created", by)(fresh, session)
        return fresh

    rule = rule_store.transaction(write)
    return str(rule["_id"])


def _change(mailbox: Row, rule_id: str, patch_of: Any, by: str, version: int | None = None) -> Row:
    def edit(before: Row) -> Row:
        patch = dict(patch_of(before)) | {"updated_at": datetime.now(UTC)}
        content({n: v for n, v in (before | patch).items() if n in Rule._fields}, mailbox)
        return patch

    def also(after: Row, session: ClientSession) -> None:
        circles.refuse(after, mailbox, session)
        _audited("rule_updated", by)(after, session)

    return rule_store.change(_whose(mailbox), rule_id, edit, version, also)


def _audited(action: str, by: str) -> Any:
    def write(rule: Row, session: ClientSession) -> None:
        audit.write(
            str(rule["user_id"]),
            action,
            "rule",
            str(rule["_id"]),
            actor=by,
            mailbox_id=str(rule["mailbox_id"]),
            details=rule_store.said(rule),
            session=session,
        )

    return write
