"""What a step does to a mail: the state before it, the state after it, and the call.

Reads and writes nothing.  States have `folder_id`, `is_read`, `is_flagged`, `categories`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.stores import Row

#: What is read of a mail before something is done to it.
SELECT = (
    "id,changeKey,parentFolderId,isRead,flag,categories,from,sender,subject,isDraft,"
    "internetMessageId,receivedDateTime"
)
#: Steps that put a mail into another folder.
MOVES = frozenset(("move", "archive", "delete", "stage", "put_back"))
#: Steps that an undo can take back.
UNDOABLE = MOVES | {"mark_read", "flag", "categorize"}

PATCH = "PATCH /me/messages/{id}"
MOVE = "POST /me/messages/{id}/move"


class Deed(NamedTuple):
    """One change of one mail: the call that makes it, and what it leads from and to."""

    method: str
    body: Row
    before: Row
    after: Row


def deed_of(step: Row, mail: Mapping[str, Any], folder_id: str = "") -> Deed:
    """Return what `step` does to `mail` as read; moves need the folder's id."""
    kind, params = step["action_type"], step.get("params") or {}
    if kind in MOVES:
        before = {"folder_id": mail["parentFolderId"]}
        return Deed(MOVE, {"destinationId": folder_id}, before, {"folder_id": folder_id})
    if kind == "mark_read":
        after = {"is_read": bool(params.get("is_read", True))}
        return Deed(PATCH, {"isRead": after["is_read"]}, state_of(mail, after), after)
    if kind == "flag":
        return _flagged(mail, params.get("flag") or {"flagStatus": "flagged"})
    if kind == "categorize":
        return _categorized(mail, _with(mail, str(params["category"])))
    if kind == "uncategorize":
        return _categorized(mail, _without(mail, params["categories"]))
    raise ValueError(f"{kind} changes no mail")


def state_of(mail: Mapping[str, Any], names: Mapping[str, Any]) -> Row:
    """Return the state of a mail, as far as `names` has it."""
    state = {
        "folder_id": mail.get("parentFolderId"),
        "is_read": mail.get("isRead") is True,
        "is_flagged": (mail.get("flag") or {}).get("flagStatus") == "flagged",
        "categories": list(mail.get("categories") or ()),
    }
    return {name: state[name] for name in names if name in state}


def holds(mail: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Return whether the mail is in the state, as far as it tells."""
    told = {name: value for name, value in state.items() if name != "flag"}
    return state_of(mail, told) == told


def inverse(step: Mapping[str, Any]) -> Row | None:
    """Return the step that takes a done one back, as {action_type, params}; None if there is none.

    `step` is as the audit has it.  Of categories only what was added is removed.
    """
    kind, before, after = step["action"], step.get("before") or {}, step.get("after") or {}
    if kind in MOVES:
        return _step("put_back", to_folder=step.get("return_to") or before.get("folder_id"))
    if kind == "mark_read":
        return _step("mark_read", is_read=bool(before.get("is_read")))
    if kind == "flag":
        return _step("flag", flag=before.get("flag") or {"flagStatus": "notFlagged"})
    if kind == "categorize":
        had = _folded(before.get("categories") or ())
        added = [name for name in after.get("categories") or () if name.casefold() not in had]
        return _step("uncategorize", categories=added)
    return None


def sender_of(mail: Mapping[str, Any]) -> tuple[str, str]:
    """Return name and address, in lower case, of who a mail is from."""
    for field in ("from", "sender"):
        told = (mail.get(field) or {}).get("emailAddress") or {}
        if told.get("address"):
            return str(told.get("name") or ""), str(told["address"]).strip().lower()
    return "", ""


def etag_of(mail: Mapping[str, Any]) -> str | None:
    """Return what If-Match takes to change the mail only as it was read."""
    etag = mail.get("@odata.etag")
    if not etag and mail.get("changeKey"):
        etag = f'W/"{mail["changeKey"]}"'
    return str(etag) if etag else None


def _step(action_type: str, **params: Any) -> Row:
    return {"action_type": action_type, "params": params}


def _flagged(mail: Mapping[str, Any], flag: Mapping[str, Any]) -> Deed:
    was = {**state_of(mail, {"is_flagged": None}), "flag": dict(mail.get("flag") or {})}
    after = {"is_flagged": flag.get("flagStatus") == "flagged"}
    return Deed(PATCH, {"flag": dict(flag)}, was, after)


def _categorized(mail: Mapping[str, Any], categories: list[str]) -> Deed:
    before = state_of(mail, {"categories": None})
    return Deed(PATCH, {"categories": categories}, before, {"categories": categories})


def _with(mail: Mapping[str, Any], category: str) -> list[str]:
    """Return a mail's categories and one more: Outlook's names differ in more than case."""
    has = list(mail.get("categories") or ())
    return has if category.casefold() in _folded(has) else [*has, category]


def _without(mail: Mapping[str, Any], categories: list[str]) -> list[str]:
    leave = _folded(categories)
    return [name for name in mail.get("categories") or () if name.casefold() not in leave]


def _folded(names: Any) -> set[str]:
    return {str(name).casefold() for name in names}
