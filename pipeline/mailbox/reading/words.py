"""What rules and patterns are for and what they do, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from pipeline.mailbox.reading.names import senders_of
from pipeline.masking import masked_address
from pipeline.stores import Row

#: What is done to a mail, by action.
_ACTS = {
    "delete": "delete",
    "archive": "move to the archive",
    "mark_read": "mark as read",
    "flag": "flag",
    "popup": "notify its user",
    "stage": "stage, to be deleted later",
}
_GONE = "a folder that is gone"


def conditions_in_words(
    conditions: Row, folders: Mapping[str, str], *, reveal: bool = False
) -> list[str]:
    """Return each condition that is set; addresses are masked unless they are revealed."""
    return list(_conditions(conditions, folders, _shower(reveal)))


def _conditions(
    conditions: Row, folders: Mapping[str, str], shown: Callable[[str], str]
) -> Iterator[str]:
    if senders := senders_of(conditions):
        yield f"from {' or '.join(shown(one) for one in senders)}"
    if domain := conditions.get("sender_domain"):
        yield f"from the domain {domain}"
    if text := conditions.get("subject_contains") or conditions.get("subject_pattern"):
        yield f"with “{text}” in its subject"
    if text := conditions.get("body_contains"):
        yield f"with “{text}” in its text"
    if folder := conditions.get("from_folder"):
        yield f"that arrives in {folders.get(folder, _GONE)}"


def actions_in_words(
    actions: Iterable[Row], folders: Mapping[str, str], *, reveal: bool = False
) -> list[str]:
    """Return what is done, in the order in which it is."""
    ordered = sorted(actions, key=lambda action: action.get("order") or 0)
    return [action_in_words(action, folders, reveal=reveal) for action in ordered]


def action_in_words(action: Row, folders: Mapping[str, str], *, reveal: bool = False) -> str:
    """Return what one action does."""
    match action["action_type"]:
        case "move" | "put_back" as act:
            back = " back" if act == "put_back" else ""
            return f"move{back} to {folders.get(action.get('to_folder') or '', _GONE)}"
        case "categorize":
            return f"give it the category {action.get('category') or '?'}"
        case "forward":
            shown = _shower(reveal)
            return f"forward to {', '.join(shown(one) for one in action.get('forward_to') or ())}"
    return _ACTS.get(action["action_type"], str(action["action_type"]).replace("_", " "))


def _shower(reveal: bool) -> Callable[[str], str]:
    return str if reveal else masked_address
