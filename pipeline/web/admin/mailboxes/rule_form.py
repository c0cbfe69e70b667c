"""The form of a rule: what it is filled with, and what is read from it.

Fields are called as refusals call them, so that each reason stands beside its field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.mailbox.reading.names import senders_of
from pipeline.stores import Row
from pipeline.web.pages import Visit

#: The actions of which a rule has one at most, and what the form calls them.
PLACES = (
    ("", "Leave it where it is"),
    ("delete", "Delete (by way of staging)"),
    ("move", "Move to a folder"),
    ("archive", "Move to the archive"),
)
_TEXTS = ("sender_domain", "subject_contains", "body_contains", "from_folder")
_BETWEEN = re.compile(r"[\s,;]+")


def filled(rule: Row | None = None) -> dict[str, Any]:
    """Return what the form of a rule, or of a new one, is filled with: all of it, unmasked."""
    rule = rule or {}
    conditions = rule.get("conditions") or {}
    by_type = {action["action_type"]: action for action in rule.get("actions") or ()}
    move, forward = by_type.get("move", {}), by_type.get("forward", {})
    place = next((kind for kind, _ in PLACES if kind in by_type), "")
    return {
        "name": rule.get("name") or "",
        "senders": "\n".join(senders_of(conditions)),
        **{name: conditions.get(name) or "" for name in _TEXTS},
        "place": place,
        "to_folder": move.get("to_folder") or "",
        "mark_read": "mark_read" in by_type,
        "flag": "flag" in by_type,
        "category": by_type.get("categorize", {}).get("category") or "",
        "forward_to": "\n".join(forward.get("forward_to") or ()),
        "popup_message": by_type.get("popup", {}).get("popup_message") or "",
        "popup": "popup" in by_type,
        "skip_staging": bool(rule.get("skip_staging")),
        "version": rule.get("version") or 0,
    }


def conditions_of(visit: Visit) -> Row:
    """Return the conditions that the form has; empty ones are left out."""
    given: Row = {name: visit.said(f"conditions.{name}") for name in _TEXTS}
    given["sender_email"] = _listed(visit.said("conditions.sender_email"))
    return {name: value for name, value in given.items() if value}


def actions_of(visit: Visit) -> list[Row]:
    """Return the actions that the form has, in the order in which they are done."""
    return [action | {"order": order} for order, action in enumerate(_actions(visit))]


def version_of(visit: Visit) -> int | None:
    """Return which version of the rule the form shows."""
    text = visit.said("version")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _actions(visit: Visit) -> Iterator[Row]:
    place = visit.said("actions")
    if place:
        folder = {"to_folder": visit.said("actions.to_folder")} if place == "move" else {}
        yield {"action_type": place, **folder}
    for kind in ("mark_read", "flag"):
        if visit.said(f"actions.{kind}"):
            yield {"action_type": kind}
    if category := visit.said("actions.category"):
        yield {"action_type": "categorize", "category": category}
    if addresses := _listed(visit.said("actions.forward_to")):
        yield {"action_type": "forward", "forward_to": addresses}
    if visit.said("actions.popup"):
        yield {"action_type": "popup", "popup_message": visit.said("actions.popup_message")}


def _listed(text: str) -> list[str]:
    return [one for one in _BETWEEN.split(text) if one]
