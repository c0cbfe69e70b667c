"""What changed among the folders since a link was handed out.

https://learn.microsoft.com/graph/api/mailfolder-delta
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import Call, Method, Reply
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import graph_error, sync_state_not_found
from pipeline.sandbox.microsoft.folders import child_counts, plain
from pipeline.sandbox.microsoft.odata import page_size
from pipeline.sandbox.microsoft.paging import shortened
from pipeline.sandbox.microsoft.scopes import READ_MAIL

_TYPE = "#microsoft.graph.mailFolder"


def delta_of_folders(call: Call) -> Reply:
    """Folders that came, changed or went; without counters, whose changes do not count."""
    fields = _fields(call)
    mail = call.store.mail
    since, full = fields["s"], fields["f"]
    size, empty = shortened(call, page_size(call), was_empty=fields["e"])
    rows = [
        folder
        for folder in mail.folders_since(call.user, since)
        if (folder.live or not full) and (fields["h"] or not folder.hidden)
    ]
    children = child_counts(call)
    body: dict[str, Any] = {"value": []}
    for folder in rows[:size]:
        if folder.live:
            shown = plain(folder, children.get(folder.id, 0))
        else:
            shown = {"id": folder.id, "@removed": {"reason": "deleted"}}
        body["value"].append({"@odata.type": _TYPE} | shown)
    link, kind, following = "@odata.deltaLink", "$deltatoken", {"s": fields["r"], "f": False}
    if len(rows) > size:
        link, kind = "@odata.nextLink", "$skiptoken"
        following = {"s": rows[size - 1].rev if size else since, "f": full}
    token = call.store.cursors.encode(kind, fields | following | {"e": empty})
    body[link] = f"{call.base_url}/v1.0/me/mailFolders/delta?{kind}={token}"
    return Reply.of(body)


def _fields(call: Call) -> dict[str, Any]:
    """Since which revision, what the round began at, whether it lists everything, and hidden
    folders too."""
    rev = call.store.mail.rev(call.user)
    for kind in ("$skiptoken", "$deltatoken"):
        token = call.text(kind)
        if token is not None:
            break
    else:
        hidden = call.flag("includeHiddenFolders", default=False)
        first = {"u": call.user.n, "s": 0, "r": rev, "f": True, "h": hidden, "e": False}
        return first | {"scope": "folders"}
    fields = call.store.cursors.decode(kind, token)
    if fields is None or fields.get("scope") != "folders":
        message = "The sync state is not valid."
        raise graph_error(HTTPStatus.BAD_REQUEST, "syncStateInvalid", message)
    oldest = fields["r"] if fields["f"] else fields["s"]
    if fields["u"] != call.user.n or oldest < call.store.mail.floor(call.user):
        raise sync_state_not_found()
    return fields if kind == "$skiptoken" else fields | {"r": rev}


METHODS = (
    Method(
        *(GRAPH_API, "mailFolders.delta", "GET", "/me/mailFolders/delta", READ_MAIL),
        *(delta_of_folders,),
        expired=sync_state_not_found,
    ),
)
