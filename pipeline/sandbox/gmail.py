"""Gmail v1: profile, messages, threads, labels, and the changes that a mail client makes.

https://developers.google.com/workspace/gmail/api/reference/rest
"""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from http import HTTPStatus

from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply, invalid, not_found
from pipeline.sandbox.gmail_change import (
    delete_message,
    modify_message,
    trash_message,
    untrash_message,
)
from pipeline.sandbox.gmail_history import expired_history_id, list_history
from pipeline.sandbox.gmail_labels import get_label, list_labels
from pipeline.sandbox.gmail_list import list_messages, list_threads
from pipeline.sandbox.gmail_message import COLUMNS, FORMATS, formatted
from pipeline.sandbox.stamps import GMAIL

_AUTH = "https://www.googleapis.com/auth/gmail."
_ALL = "https://mail.google.com/"
READ_SCOPES = frozenset((_ALL, *(_AUTH + name for name in ("readonly", "modify", "metadata"))))
_LABELS = READ_SCOPES | {_AUTH + "labels"}
_MODIFY = frozenset((_ALL, _AUTH + "modify"))
_METADATA_ONLY = frozenset((_AUTH + "metadata",))


def get_profile(call: Call) -> Reply:
    """`historyId` is where an incremental sync may start."""
    row = call.store.database.row(
        "SELECT count(*), count(DISTINCT parent) FROM items"
        " WHERE stream_n = ? AND live = 1 AND sort IS NOT NULL",
        call.store.stream_n(call.user, GMAIL, "messages"),
    )
    messages, threads = row or (0, 0)
    return Reply.of(
        {
            "emailAddress": call.user.email,
            "messagesTotal": messages,
            "threadsTotal": threads,
            "historyId": str(call.store.rev(call.user)),
        }
    )


def get_message(call: Call) -> Reply:
    wanted = _format(call)
    sql = f"SELECT {COLUMNS} FROM items WHERE stream_n = ? AND item_id = ? AND live = 1"
    row = call.store.database.row(
        sql, call.store.stream_n(call.user, GMAIL, "messages"), call.path_values["id"]
    )
    if row is None:
        raise not_found()
    return Reply.of(formatted(call, (row[0], row[1], row[2]), wanted))


def get_thread(call: Call) -> Reply:
    """All messages of a thread, oldest first."""
    wanted = _format(call)
    if wanted == "raw":
        raise invalid("Invalid value at 'format': a thread has no raw format.")
    rows = call.store.database.rows(
        f"SELECT {COLUMNS}, rev FROM items WHERE stream_n = ? AND parent = ? AND live = 1"
        " ORDER BY sort, item_id",
        *(call.store.stream_n(call.user, GMAIL, "messages"), call.path_values["id"]),
    )
    if not rows:
        raise not_found()
    messages = [formatted(call, (row[0], row[1], row[2]), wanted) for row in rows]
    newest = max(row[3] for row in rows)
    thread_id = call.path_values["id"]
    head = f'"id":"{thread_id}","historyId":"{newest}"'
    return Reply.of(f'{{{head},"messages":[{",".join(messages)}]}}')


def _format(call: Call) -> str:
    wanted = (call.text("format") or "full").lower()
    if wanted not in FORMATS:
        raise invalid(f"Invalid value at 'format': {wanted!r}")
    reads = call.scopes & READ_SCOPES
    if reads == _METADATA_ONLY and wanted in {"full", "raw"}:
        message = f"Metadata scope doesn't allow format {wanted.upper()}"
        raise ApiError(HTTPStatus.FORBIDDEN, "forbidden", message)
    return wanted


def own(handler: Handler) -> Handler:
    """Only one's own mailbox can be opened: as `me` or by address."""

    def checked(call: Call) -> Reply:
        asked = call.path_values["userId"]
        if asked not in ("me", call.user.email):
            message = f"Delegation denied for {call.user.email}"
            raise ApiError(HTTPStatus.FORBIDDEN, "forbidden", message)
        return handler(call)

    return checked


_USER = "/gmail/v1/users/{userId}"
_MESSAGE = _USER + "/messages/{id}"


def _method(name: str, verb: str, path: str, scopes: frozenset[str], handler: Handler) -> Method:
    return Method(
        *("gmail", f"users.{name}", verb, path, scopes, own(handler)),
        expired=expired_history_id,
    )


METHODS = (
    _method("getProfile", "GET", _USER + "/profile", READ_SCOPES, get_profile),
    _method("messages.list", "GET", _USER + "/messages", READ_SCOPES, list_messages),
    _method("messages.get", "GET", _MESSAGE, READ_SCOPES, get_message),
    _method("messages.modify", "POST", _MESSAGE + "/modify", _MODIFY, modify_message),
    _method("messages.trash", "POST", _MESSAGE + "/trash", _MODIFY, trash_message),
    _method("messages.untrash", "POST", _MESSAGE + "/untrash", _MODIFY, untrash_message),
    _method("messages.delete", "DELETE", _MESSAGE, frozenset((_ALL,)), delete_message),
    _method("threads.list", "GET", _USER + "/threads", READ_SCOPES, list_threads),
    _method("threads.get", "GET", _USER + "/threads/{id}", READ_SCOPES, get_thread),
    _method("labels.list", "GET", _USER + "/labels", _LABELS, list_labels),
    _method("labels.get", "GET", _USER + "/labels/{id}", _LABELS, get_label),
    _method("history.list", "GET", _USER + "/history", READ_SCOPES, list_history),
)
