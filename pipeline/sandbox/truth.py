"""What each user really has, item by item, exactly as the APIs show it to that user."""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.sandbox.calendar_events import free_busy_view
from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.microsoft import MAIL
from pipeline.sandbox.microsoft.truth import mail_lines
from pipeline.sandbox.stamps import CALENDAR, GMAIL
from pipeline.sandbox.store import Store, User

_CHUNK_ROWS = 500


def truth_lines(
    store: Store, user: User, source: str | None, time_min_ms: int | None = None
) -> Iterator[str]:
    """Chunks of NDJSON lines `{"stream","id","item"}` of all live items.

    Messages come in the shape of format=metadata, those in trash and spam as well; tasks
    include hidden and completed ones.  With `time_min_ms` events that had ended by then are
    left out, as `timeMin` does on events.list.
    """
    sql = "SELECT n, source, stream FROM streams WHERE user_n = ? ORDER BY source, stream"
    for stream_n, stream_source, stream in store.database.rows(sql, user.n):
        if source is None or stream_source == source:
            yield from _stream_lines(store, stream_n, stream_source, stream, time_min_ms)
    if source in (None, MAIL):
        yield from mail_lines(store, user)


def _stream_lines(
    store: Store, stream_n: int, source: str, stream: str, time_min_ms: int | None
) -> Iterator[str]:
    events = source == CALENDAR and stream.startswith("events/")
    condition = ""
    values: tuple[int, ...] = ()
    if events and time_min_ms is not None:
        condition = " AND (ends_ms IS NULL OR ends_ms > ?)"
        values = (time_min_ms,)
    private = events and _free_busy_only(store, stream_n, stream)
    after, start = "", f'{{"stream":{dump_json(stream)},"id":'
    while True:
        rows = store.database.rows(
            "SELECT item_id, body, head FROM items WHERE stream_n = ? AND live = 1"
            f" AND item_id > ?{condition} ORDER BY item_id LIMIT ?",
            *(stream_n, after, *values, _CHUNK_ROWS),
        )
        if not rows:
            return
        lines = []
        for item_id, body, head in rows:
            shown = free_busy_view(body) if private else body
            if source == GMAIL:
                shown = f'{body[:-1]},"payload":{head}}}'
            lines.append(f'{start}{dump_json(item_id)},"item":{shown}}}\n')
        yield "".join(lines)
        after = rows[-1][0]


def _free_busy_only(store: Store, stream_n: int, stream: str) -> bool:
    row = store.database.row(
        "SELECT l.body FROM streams e JOIN streams s ON s.user_n = e.user_n"
        " AND s.source = e.source AND s.stream = 'calendars'"
        " JOIN items l ON l.stream_n = s.n AND l.item_id = ? WHERE e.n = ?",
        *(stream.partition("/")[2], stream_n),
    )
    return row is not None and json.loads(row[0]).get("accessRole") == "freeBusyReader"
