"""What a rule says, checked: by its model, and against the mailbox that it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models import Rule
from models.rule import RuleAction, RuleConditions
from pipeline.mailbox import folders
from pipeline.refusals import Refused, parsed, validated
from pipeline.stores import Row

#: What of a rule may be changed.
CHANGEABLE = ("name", "conditions", "actions", "skip_staging", "is_enabled")
#: Folders into which nothing is moved by a rule: mail there is no longer, or not yet, mail.
_NO_TARGETS = ("drafts", "outbox", "sentitems")


def conditions_of(values: Mapping[str, Any]) -> RuleConditions:
    """Return conditions as they are kept: without what is empty, addresses in lower case.

    `sender_email` may be one address or several.  Raises Refused.
    """
    if not isinstance(values, Mapping):
        raise Refused("conditions", "expected an object with fields")
    given = {name: _trimmed(value) for name, value in values.items()}
    given = {name: value for name, value in given.items() if value}
    senders = given.get("sender_email")
    if senders:
        if not isinstance(senders, (str, list)):
            raise Refused("conditions.sender_email", "expected an address, or a list of them")
        listed = [senders] if isinstance(senders, str) else senders
        given["sender_email"] = _addresses("conditions.sender_email", listed)
    if isinstance(given.get("sender_domain"), str):
        given["sender_domain"] = given["sender_domain"].lower().removeprefix("@")
    return parsed(RuleConditions, given)  # type: ignore[no-any-return]


def actions_of(values: Sequence[Mapping[str, Any]]) -> list[RuleAction]:
    """Return actions as they are kept, each with its turn.  Raises Refused."""
    if not isinstance(values, (list, tuple)):
        raise Refused("actions", "expected a list")
    return [_action_of(value, index) for index, value in enumerate(values)]


def changed_content(changes: Mapping[str, Any]) -> Row:
    """Return changes of a rule as they are kept.  Raises Refused for a field that may not."""
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise Refused(unknown[0], f"it cannot be changed; {', '.join(CHANGEABLE)} can")
    for name in ("skip_staging", "is_enabled"):
        if not isinstance(changes.get(name, False), bool):
            raise Refused(name, "expected true or false")
    patch = {name: _trimmed(value) for name, value in changes.items()}
    if "conditions" in patch:
        patch["conditions"] = conditions_of(patch["conditions"]).to_mongo().to_dict()
    if "actions" in patch:
        patch["actions"] = [action.to_mongo().to_dict() for action in actions_of(patch["actions"])]
    return patch


def content(row: Row, mailbox: Row | None) -> Row:
    """Return a rule's row as it is stored, checked by the model and, if it has one, its mailbox.

    Raises Refused that names the field and what would do.
    """
    checked = validated(Rule(**row))
    if mailbox is not None:
        check_folders(checked, str(mailbox["user_id"]))
    return checked


def check_folders(rule: Row, user_id: str) -> None:
    """Raise Refused for a folder that the mailbox has not."""
    named = [("conditions.from_folder", (rule.get("conditions") or {}).get("from_folder"))]
    named += [("actions.to_folder", action.get("to_folder")) for action in rule["actions"]]
    wanted = [(field, folder_id) for field, folder_id in named if folder_id]
    if not wanted:
        return
    known = folders.of_user(user_id)
    for field, folder_id in wanted:
        folder = known.get(folder_id)
        if folder is None:
            raise Refused(field, "the mailbox has no such folder; give the id of one that it has")
        if field == "actions.to_folder" and folder.well_known in _NO_TARGETS:
            raise Refused(field, "no mail is moved there; give the id of another folder")


def forwards_to(rule: Mapping[str, Any]) -> list[str]:
    """Return the addresses that a rule forwards to."""
    actions = rule.get("actions") or ()
    return [address for action in actions for address in action.get("forward_to") or ()]


def _action_of(value: Mapping[str, Any], index: int) -> RuleAction:
    if not isinstance(value, Mapping):
        raise Refused("actions", "expected a list of objects with an action_type")
    given = {name: _trimmed(field) for name, field in value.items()}
    given = {name: field for name, field in given.items() if field not in (None, "", [])}
    if "forward_to" in given:
        given["forward_to"] = _addresses("actions.forward_to", given["forward_to"])
    given.setdefault("order", index)
    return parsed(RuleAction, given)  # type: ignore[no-any-return]


def _addresses(field: str, values: Any) -> list[str]:
    listed = [values] if isinstance(values, str) else values
    if not isinstance(listed, list) or not all(isinstance(value, str) for value in listed):
        raise Refused(field, "expected addresses such as name@example.com")
    return sorted({value.strip().lower() for value in listed if value.strip()})


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value
