"""Messages: list, read, change, move, delete.

https://learn.microsoft.com/graph/api/resources/message
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import bad_request, graph_error, item_not_found
from pipeline.sandbox.microsoft.odata import (
    check_options,
    condition,
    descending,
    in_preferred_form,
    prefers_immutable,
    selected,
    shaped,
    top,
)
from pipeline.sandbox.microsoft.paging import Key, shortened
from pipeline.sandbox.microsoft.rows import Item, Message
from pipeline.sandbox.microsoft.scopes import READ_MAIL, WRITE_MAIL

_DEFAULT_PAGE = 10
_CHUNK_ROWS = 200
#: What may be changed of any message, and what of a draft besides.
_CHANGEABLE: dict[str, type] = {
    "isRead": bool,
    "categories": list,
    "flag": dict,
    "importance": str,
    "inferenceClassification": str,
}
_OF_DRAFTS: dict[str, type] = {
    "subject": str,
    "body": dict,
    "toRecipients": list,
    "ccRecipients": list,
    "bccRecipients": list,
    "replyTo": list,
    "singleValueExtendedProperties": list,
}
_FLAGS = ("notFlagged", "flagged", "complete")


def found(call: Call, name: str = "message") -> Item:
    """The message of the path, which has to be in the folder of the path if there is one."""
    item = call.store.mail.item(call.user, call.path_values[name])
    folder = call.path_values.get("folder")
    if folder and call.store.mail.folder(call.user, folder).n != item.folder_n:
        raise item_not_found()
    return item


def shown(call: Call, item: Item, status: int = HTTPStatus.OK) -> Reply:
    """A message as the answer."""
    names, expanded = selected(call), "$expand" in dict(call.query)
    message = item.shown(immutable=prefers_immutable(call))
    shape = shaped(message, names, expanded=expanded)
    return Reply.of(in_preferred_form(call, shape), status)


def get_message(call: Call) -> Reply:
    return shown(call, found(call))


def list_messages(call: Call) -> Reply:
    """Newest first; of one folder, or of all of them.

    https://learn.microsoft.com/graph/api/user-list-messages
    """
    check_options(call, "select", "filter", "orderby", "top", "skiptoken", "expand", "count")
    names, lets_through = selected(call), condition(call)
    last = _key(call)
    size, empty = shortened(call, top(call) or _DEFAULT_PAGE, was_empty=last.was_empty)
    immutable, expanded = prefers_immutable(call), "$expand" in dict(call.query)
    page: list[Message] = []
    following: Key | None = None
    for key, item in _rows(call, last.values):
        message = item.shown(immutable=immutable)
        if not lets_through(message):
            continue
        if len(page) == size:
            following = Key(last.values, empty)
            break
        page.append(in_preferred_form(call, shaped(message, names, expanded=expanded)))
        last = Key(key)
    answer: dict[str, Any] = {"value": page}
    if following is not None:
        answer["@odata.nextLink"] = _next_link(call, following)
    return Reply.of(answer)


def _rows(call: Call, after: list[int] | None) -> Iterator[tuple[list[int], Item]]:
    """Messages with their keys, in the order asked for, behind the key `after`."""
    folder = call.path_values.get("folder")
    folder_n = None if folder is None else call.store.mail.folder(call.user, folder).n
    down = descending(call)
    while rows := call.store.mail.by_date(call.user, folder_n, after, _CHUNK_ROWS, down=down):
        for received_ms, item in rows:
            after = [received_ms, item.n]
            yield after, item


def _key(call: Call) -> Key:
    token = call.text("$skiptoken")
    if token is None:
        return Key(None)
    fields = call.store.cursors.decode("mail", token)
    if fields is None or fields["u"] != call.user.n:
        raise bad_request("The $skiptoken is not valid.", "ErrorInvalidUrlQuery")
    return Key(fields["k"], fields["e"])


def _next_link(call: Call, key: Key) -> str:
    fields = {"u": call.user.n, "k": key.values, "e": key.was_empty}
    token = call.store.cursors.encode("mail", fields)
    kept = [(name, value) for name, value in call.query if name != "$skiptoken"]
    query = urlencode([*kept, ("$skiptoken", token)], safe="$")
    return f"{call.base_url}{call.path}?{query}"


# Changes


def check_unchanged(call: Call, item: Item) -> None:
    """Raise 412 if the caller has seen another version: `If-Match` holds its etag."""
    wanted = call.headers.get("if-match", "*").strip()
    key = str(item.shown()["changeKey"])
    if wanted not in ("*", f'W/"{key}"', f'"{key}"', key):
        raise graph_error(HTTPStatus.PRECONDITION_FAILED, "ErrorIrresolvableConflict")


def change_message(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/message-update"""
    item, changes = found(call), call.json_body()
    check_unchanged(call, item)
    changes = {name: value for name, value in changes.items() if not name.startswith("@")}
    check_fields(changes, draft=item.shown()["isDraft"])
    return shown(call, call.store.mail.patch(call.user, item.id, changes))


def check_fields(message: Message, *, draft: bool) -> None:
    """Raise 400 for what may not be set, or not so."""
    allowed = _CHANGEABLE | (_OF_DRAFTS if draft else {})
    for name, value in message.items():
        _check_change(name, value, allowed.get(name))


def _check_change(name: str, value: Any, kind: type | None) -> None:
    if kind is None:
        message = f"Set action is invalid for property '{name}'."
        raise graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidPropertySet", message)
    right: bool = isinstance(value, kind)
    if not right:
        raise _unreadable(name)
    if name == "flag" and value.get("flagStatus") not in _FLAGS:
        raise _unreadable("flagStatus")
    if name == "categories" and not all(isinstance(entry, str) for entry in value):
        raise _unreadable(name)


def _unreadable(name: str) -> ApiError:
    message = f"Cannot convert the literal of '{name}' to the expected type."
    return bad_request(message, "RequestBodyRead")


def move_message(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/message-move"""
    item, target = found(call), call.json_body().get("destinationId")
    if not isinstance(target, str) or not target:
        raise bad_request("The property 'DestinationId' is required.", "ErrorInvalidRequest")
    check_unchanged(call, item)
    return shown(call, call.store.mail.move(call.user, item.id, target), HTTPStatus.CREATED)


def delete_message(call: Call) -> Reply:
    """Out of the person's sight: https://learn.microsoft.com/graph/api/message-delete"""
    item = found(call)
    check_unchanged(call, item)
    call.store.mail.remove(call.user, item.id)
    return Reply(b"", HTTPStatus.NO_CONTENT)


def translate_ids(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/user-translateexchangeids"""
    body = call.json_body()
    names = body.get("inputIds")
    if not isinstance(names, list) or len(names) > 1000:
        raise bad_request("inputIds needs up to 1000 ids.", "ErrorInvalidRequest")
    immutable = "immutable" in str(body.get("targetIdType", "")).lower()
    pairs = []
    for name in names:
        item = call.store.mail.find(call.user, str(name))
        if item is not None:
            target = item.id if immutable else item.default_id
            pairs.append({"sourceId": name, "targetId": target})
    return Reply.of({"value": pairs})


_ALL, _IN_FOLDER = "/me/messages", "/me/mailFolders/{folder}/messages"


def _methods(
    name: str, verb: str, path: str, handler: Handler, scopes: frozenset[str] = READ_MAIL
) -> tuple[Method, Method]:
    """A method under both of a message's addresses."""
    whole = f"messages.{name}"
    return (
        Method(GRAPH_API, whole, verb, _ALL + path, scopes, handler),
        Method(GRAPH_API, whole, verb, _IN_FOLDER + path, scopes, handler),
    )


METHODS = (
    *_methods("list", "GET", "", list_messages),
    *_methods("get", "GET", "/{message}", get_message),
    *_methods("update", "PATCH", "/{message}", change_message, WRITE_MAIL),
    *_methods("delete", "DELETE", "/{message}", delete_message, WRITE_MAIL),
    *_methods("move", "POST", "/{message}/move", move_message, WRITE_MAIL),
    Method(
        *(GRAPH_API, "translateExchangeIds", "POST", "/me/translateExchangeIds"),
        *(READ_MAIL, translate_ids),
    ),
)
