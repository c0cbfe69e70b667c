"""Gmail's history: what happened to a mailbox since a history id.

https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Reply, invalid, not_found
from pipeline.sandbox.gmail_labels import find_label
from pipeline.sandbox.paging import Position, shortened
from pipeline.sandbox.stamps import GMAIL

#: Older records are gone; Google promises "at least a week" and "rarely only a few hours".
_KEPT_DAYS = 30
#: History belongs to a user, not to a stream; its page tokens say so.
_NO_STREAM = 0
#: Request value: the record's field.
_TYPES = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}


def expired_history_id() -> ApiError:
    return not_found()


def list_history(call: Call) -> Reply:
    """Records after `startHistoryId`; the current history id is in every answer."""
    start = _start(call)
    size = call.number("maxResults", 100, 500)
    label, fields = _label(call), _fields(call)
    position = _position(call, start)
    size, empty = shortened(call, position, size)
    (key,) = position.key or [start]
    rows = call.store.database.rows(
        "SELECT rev, labels, body FROM history WHERE user_n = ? AND rev > ? ORDER BY rev LIMIT ?",
        *(call.user.n, key, size + 1),
    )
    shown = rows[:size]
    answer: dict[str, Any] = {"historyId": str(call.store.rev(call.user))}
    if len(rows) > size:
        last = shown[-1][0] if shown else key
        answer["nextPageToken"] = position.after([last], empty).token(call, _NO_STREAM)
    # A page may lose all its records to the filters and still not be the last one.
    wanted = [json.loads(body) for _, labels, body in shown if label is None or label in labels]
    records = [kept for record in wanted if (kept := _only(record, fields))]
    if records:
        answer["history"] = records
    return Reply.of(answer)


def _position(call: Call, start: int) -> Position:
    token = call.text("pageToken")
    if token is None:
        return Position(start, extra=call.user.n)
    position = Position.of(call, token, _NO_STREAM)
    if position is None or position.extra != call.user.n:
        raise invalid("Invalid pageToken")
    return position


def _start(call: Call) -> int:
    text = call.text("startHistoryId")
    if text is None or not text.isdecimal():
        raise invalid("Missing or invalid startHistoryId")
    start, user = int(text), call.user
    if not call.store.floor(user, GMAIL) <= start <= call.store.rev(user):
        raise expired_history_id()
    sql = "SELECT at_ms FROM history WHERE user_n = ? AND rev > ? ORDER BY rev LIMIT 1"
    row = call.store.database.row(sql, user.n, start)
    if row is not None and row[0] < call.store.clock.now_ms() - _KEPT_DAYS * 86_400_000:
        raise expired_history_id()
    return start


def _label(call: Call) -> str | None:
    label = call.text("labelId")
    if label is not None and find_label(call, label) != label:
        raise invalid(f"Invalid label: {label}")
    return None if label is None else f",{label},"


def _fields(call: Call) -> frozenset[str]:
    wanted = call.many("historyTypes")
    unknown = sorted(set(wanted) - set(_TYPES))
    if unknown:
        raise invalid(f"Invalid value at 'history_types': {unknown[0]!r}")
    return frozenset(_TYPES[name] for name in wanted or _TYPES)


def _only(record: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """The record with the wanted kinds of change only; empty when none is left."""
    kept = {name: record[name] for name in fields if name in record}
    return {"id": record["id"], "messages": record["messages"]} | kept if kept else {}
