"""Folders: list, read, make, rename, delete.

https://learn.microsoft.com/graph/api/resources/mailfolder
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from pipeline.sandbox.calls import Call, Handler, Method, Reply
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import bad_request, graph_error
from pipeline.sandbox.microsoft.odata import top
from pipeline.sandbox.microsoft.rows import ROOT, Folder
from pipeline.sandbox.microsoft.scopes import READ_MAIL, WRITE_MAIL

_DEFAULT_PAGE = 10


def plain(folder: Folder, children: int) -> dict[str, Any]:
    """A folder without the counters that change with its mail."""
    return {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": folder.parent_id,
        "childFolderCount": children,
        "isHidden": folder.hidden,
    }


def child_counts(call: Call) -> dict[str, int]:
    """How many visible folders are in which."""
    counts: dict[str, int] = {}
    for folder in call.store.mail.folders(call.user):
        if not folder.hidden:
            counts[folder.parent_id] = counts.get(folder.parent_id, 0) + 1
    return counts


class _Shapes:
    """Folders as they are shown, with the counters of one moment."""

    def __init__(self, call: Call) -> None:
        self._counts = call.store.mail.counts(call.user)
        self._children = child_counts(call)
        asked = call.text("$select")
        self._names = None if asked is None else {name.strip() for name in asked.split(",")}

    def of(self, folder: Folder) -> dict[str, Any]:
        total, unread = self._counts.get(folder.n, (0, 0))
        shown = plain(folder, self._children.get(folder.id, 0))
        shown |= {"totalItemCount": total, "unreadItemCount": unread, "sizeInBytes": 4096 * total}
        if self._names is None:
            return shown
        return {name: value for name, value in shown.items() if name in self._names | {"id"}}


def list_folders(call: Call) -> Reply:
    """Those at the top: https://learn.microsoft.com/graph/api/user-list-mailfolders"""
    return _listed(call, ROOT)


def list_children(call: Call) -> Reply:
    return _listed(call, call.path_values["folder"])


def _listed(call: Call, parent: str) -> Reply:
    parent_id = call.store.mail.folder(call.user, parent).id
    hidden, name = call.flag("includeHiddenFolders", default=False), _wanted_name(call)
    found = [
        folder
        for folder in call.store.mail.folders(call.user)
        if folder.parent_id == parent_id
        and (hidden or not folder.hidden)
        and name in (None, folder.name.casefold())
    ]
    size, skip = top(call) or _DEFAULT_PAGE, _skip(call)
    shapes = _Shapes(call)
    page: dict[str, Any] = {"value": [shapes.of(folder) for folder in found[skip : skip + size]]}
    if len(found) > skip + size:
        kept = [(name, value) for name, value in call.query if name != "$skip"]
        query = urlencode([*kept, ("$skip", str(skip + size))], safe="$")
        page["@odata.nextLink"] = f"{call.base_url}{call.path}?{query}"
    return Reply.of(page)


def _wanted_name(call: Call) -> str | None:
    """What `$filter` asks for: folders are filtered by their name alone."""
    text = call.text("$filter")
    if text is None:
        return None
    found = re.fullmatch(r"displayName eq '((?:[^']|'')*)'", text.strip())
    if found is None:
        message = f"The query filter contains one or more invalid nodes: {text}"
        raise bad_request(message, "ErrorInvalidUrlQueryFilter")
    return found[1].replace("''", "'").casefold()


def _skip(call: Call) -> int:
    value = call.text("$skip") or "0"
    if not value.isdecimal():
        raise bad_request(f"Invalid value '{value}' for $skip query option found.")
    return int(value)


def get_folder(call: Call) -> Reply:
    return Reply.of(_Shapes(call).of(_folder(call)))


def add_folder(call: Call) -> Reply:
    return _added(call, ROOT)


def add_child(call: Call) -> Reply:
    return _added(call, call.path_values["folder"])


def _added(call: Call, parent: str) -> Reply:
    body = call.json_body()
    name = _name(body)
    mail = call.store.mail
    parent_id = mail.folder(call.user, parent).id
    for folder in mail.folders(call.user):
        if folder.parent_id == parent_id and folder.name.lower() == name.lower():
            message = "A folder with the specified name already exists."
            raise graph_error(HTTPStatus.CONFLICT, "ErrorFolderExists", message)
    hidden = bool(body.get("isHidden", False))
    folder_id = mail.add_folder(call.user, name, parent_id, hidden=hidden)
    shown = _Shapes(call).of(mail.folder(call.user, folder_id))
    return Reply.of(shown, HTTPStatus.CREATED)


def rename_folder(call: Call) -> Reply:
    folder, name = _own_folder(call), _name(call.json_body())
    call.store.mail.rename_folder(call.user, folder.id, name)
    return Reply.of(_Shapes(call).of(call.store.mail.folder(call.user, folder.id)))


def delete_folder(call: Call) -> Reply:
    call.store.mail.remove_folder(call.user, _own_folder(call).id)
    return Reply(b"", HTTPStatus.NO_CONTENT)


def _folder(call: Call) -> Folder:
    return call.store.mail.folder(call.user, call.path_values["folder"])


def _own_folder(call: Call) -> Folder:
    folder = _folder(call)
    if folder.well_known is not None:
        message = "A distinguished folder cannot be changed."
        raise graph_error(HTTPStatus.FORBIDDEN, "ErrorDeleteDistinguishedFolder", message)
    return folder


def _name(body: dict[str, Any]) -> str:
    name = body.get("displayName")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("The property 'displayName' is required.", "ErrorInvalidRequest")
    return name


def _method(
    name: str, verb: str, path: str, handler: Handler, scopes: frozenset[str] = READ_MAIL
) -> Method:
    return Method(GRAPH_API, f"mailFolders.{name}", verb, f"/me/mailFolders{path}", scopes, handler)


METHODS = (
    _method("list", "GET", "", list_folders),
    _method("create", "POST", "", add_folder, WRITE_MAIL),
    _method("get", "GET", "/{folder}", get_folder),
    _method("update", "PATCH", "/{folder}", rename_folder, WRITE_MAIL),
    _method("delete", "DELETE", "/{folder}", delete_folder, WRITE_MAIL),
    _method("list", "GET", "/{folder}/childFolders", list_children),
    _method("create", "POST", "/{folder}/childFolders", add_child, WRITE_MAIL),
)
