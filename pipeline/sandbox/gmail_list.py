"""Gmail's listings of messages and threads, newest first."""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Reply, dump_json, invalid
from pipeline.sandbox.gmail_labels import OUT_OF_SIGHT, find_label
from pipeline.sandbox.gmail_message import header_values
from pipeline.sandbox.gmail_query import MailQuery, parse_query
from pipeline.sandbox.listing import NEWEST_FIRST, Selection
from pipeline.sandbox.paging import Position, list_rows
from pipeline.sandbox.stamps import GMAIL

_METADATA = "https://www.googleapis.com/auth/gmail.metadata"
#: Gmail's estimate for "more than fits on this page" has hardly anything to do with the truth.
_ESTIMATE_OF_MANY = 201


def list_messages(call: Call) -> Reply:
    """https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/list"""
    query = _query(call)
    size = call.number("maxResults", 100, 500)
    condition, values = _condition(call, query)
    selection = Selection(_stream(call), NEWEST_FIRST, condition, values)
    columns = "item_id, parent, head" if query.senders else "item_id, parent"
    listed = list_rows(call, columns, selection, _position(call, selection.stream_n), size)
    found = [
        f'{{"id":"{row[0]}","threadId":"{row[1]}"}}'
        for row in listed.rows
        if _sent_by(row, query.senders)
    ]
    return _answer("messages", found, listed.next_page_token)


def list_threads(call: Call) -> Reply:
    """Threads by their newest message that matches."""
    query = _query(call)
    if query.senders:
        raise invalid("The sandbox does not search threads by sender.")
    size = call.number("maxResults", 100, 500)
    stream_n = _stream(call)
    condition, values = _condition(call, query)
    key = _position(call, stream_n).key or [2**62, ""]
    rows = call.store.database.rows(
        "SELECT newest, parent, rev FROM (SELECT parent, max(sort) AS newest, max(rev) AS rev"
        f" FROM items WHERE stream_n = ? AND {condition} GROUP BY parent)"
        " WHERE (newest, parent) < (?, ?) ORDER BY newest DESC, parent DESC LIMIT ?",
        *(stream_n, *values, *key, size + 1),
    )
    token = None
    if len(rows) > size:
        rows = rows[:size]
        position = Position(call.store.rev(call.user)).after(list(rows[-1][:2]), was_empty=False)
        token = position.token(call, stream_n)
    found = [f'{{"id":"{row[1]}","snippet":"","historyId":"{row[2]}"}}' for row in rows]
    return _answer("threads", found, token)


def _answer(name: str, found: list[str], token: str | None) -> Reply:
    """Without the list when it is empty, as Gmail does."""
    parts = [f'"{name}":[{",".join(found)}]'] if found else []
    if token is not None:
        parts.append(f'"nextPageToken":{dump_json(token)}')
    estimate = len(found) if token is None else max(_ESTIMATE_OF_MANY, len(found))
    return Reply.of("{" + ",".join([*parts, f'"resultSizeEstimate":{estimate}']) + "}")


def _position(call: Call, stream_n: int) -> Position:
    token = call.text("pageToken")
    if token is None:
        return Position(call.store.rev(call.user))
    position = Position.of(call, token, stream_n)
    if position is None:
        raise invalid("Invalid pageToken")
    return position


def _query(call: Call) -> MailQuery:
    text = call.text("q")
    if text is None:
        return MailQuery()
    if {scope for scope in call.scopes if "gmail" in scope or "mail.google" in scope} == {
        _METADATA
    }:
        message = "Metadata scope does not support 'q' parameter"
        raise ApiError(HTTPStatus.FORBIDDEN, "forbidden", message)
    return parse_query(text, call.store.clock.now_ms())


def _condition(call: Call, query: MailQuery) -> tuple[str, tuple[Any, ...]]:
    conditions, values = ["live = 1", "sort IS NOT NULL"], list[Any]()
    labels = _labels(call, query)
    for label in labels:
        conditions.append("instr(tags, ?) > 0")
        values.append(f",{label},")
    if not (query.anywhere or call.flag("includeSpamTrash", False)):
        for label in OUT_OF_SIGHT:
            if label not in labels:
                conditions.append(f"instr(tags, ',{label},') = 0")
    for bound, condition in ((query.after_ms, "sort >= ?"), (query.before_ms, "sort < ?")):
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    return " AND ".join(conditions), tuple(values)


def _labels(call: Call, query: MailQuery) -> list[str]:
    wanted = []
    for label in call.many("labelIds"):
        if find_label(call, label) != label:
            raise invalid(f"Invalid label: {label}")
        wanted.append(label)
    # A search for a label that nobody has finds nothing; it is not an error.
    return wanted + [find_label(call, label) or label for label in query.labels]


def _sent_by(row: Sequence[Any], senders: list[str]) -> bool:
    if not senders:
        return True
    text = " ".join(header_values(row[2], "From")).casefold()
    return all(sender in text for sender in senders)


def _stream(call: Call) -> int:
    stream_n = call.store.stream_n(call.user, GMAIL, "messages")
    assert stream_n is not None  # made with the user
    return stream_n
