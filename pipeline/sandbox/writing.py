"""How a change becomes rows: seeding in bulk, and single changes with what follows from them."""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.changes import Change, Put, Remove, Rename
from pipeline.sandbox.clock import parse_rfc3339_ms, rfc3339
from pipeline.sandbox.generate import Seeded
from pipeline.sandbox.stamps import (
    CALENDAR,
    CONTACTS,
    CONTAINERS,
    GMAIL,
    TASKS,
    Item,
    Row,
    Stamp,
    event_stub,
    person_tombstone,
    seeded_ms,
    stamped,
    tags_of,
)

if TYPE_CHECKING:
    from pipeline.sandbox.store import Store, User

_COLUMNS = (
    "stream_n, item_id, rev, live, sort, updated_ms, starts_ms, ends_ms, tags, parent, former,"
    " body, head, content"
)
_INSERT = f"INSERT OR REPLACE INTO items ({_COLUMNS}) VALUES ({', '.join('?' * 14)})"

_FIXED_STREAMS = (
    (CALENDAR, "calendars"),
    (GMAIL, "messages"),
    (CONTACTS, "connections"),
    (TASKS, "tasklists"),
)


def create_fixed_streams(store: Store, user: User) -> None:
    """The streams that every user has from the start."""
    for source, stream in _FIXED_STREAMS:
        _create_stream(store, user, source, stream)


def load(store: Store, user: User, items: list[Seeded], now_ms: int) -> None:
    """Write items of a new user; each gets its own revision, none gets a history record."""
    with store.database.transaction():
        rows: list[tuple[Any, ...]] = []
        streams: dict[tuple[str, str], int] = {}
        rev, labels = store.rev(user), set[str]()
        for seeded in items:
            rev += 1
            stamp = Stamp(seeded.stream, seeded.item_id, rev, _seed_time(seeded, now_ms))
            row = stamped(seeded.source, seeded.item, stamp)
            rows.append(row.values(_open_stream(store, user, seeded, streams)))
            if seeded.source == GMAIL:
                labels.update(seeded.item.get("labelIds") or [])
        store.database.run_many(_INSERT, rows)
        store.database.run("UPDATE users SET rev = ? WHERE n = ?", rev, user.n)
        _remember_labels(store, user, labels)


def _seed_time(seeded: Seeded, now_ms: int) -> int:
    """Spread over the past, so that a first incremental by time does not list everything; never
    before the item was made or done."""
    made = [seeded.item[name] for name in ("created", "completed") if name in seeded.item]
    earliest_ms = max((parse_rfc3339_ms(text) for text in made), default=0)
    return min(now_ms, max(earliest_ms, seeded_ms(seeded.item_id, now_ms)))


def _open_stream(
    store: Store, user: User, seeded: Seeded, known: dict[tuple[str, str], int]
) -> int:
    """The stream's number, made for containers just seeded; cached in `known` for this chunk."""
    kind, prefix = CONTAINERS.get(seeded.source, ("", ""))
    if seeded.stream == kind:
        _create_stream(store, user, seeded.source, prefix + seeded.item_id)
    key = (seeded.source, seeded.stream)
    if key not in known:
        known[key] = _stream(store, user, seeded.source, seeded.stream)
    return known[key]


def apply(store: Store, user: User, change: Change, at_ms: int) -> None:
    """Make one change and all that follows from it.  Raises ValueError; see `Store.apply`."""
    stream_n = _stream(store, user, change.source, change.stream)
    writer = _Writer(store, user, change.source, change.stream, stream_n, at_ms)
    if isinstance(change, Put):
        writer.put(change.item_id, change.item)
    elif isinstance(change, Remove):
        writer.remove(change.item_id)
    else:
        writer.rename(change)


class _Writer:
    """Writes into one stream of one user at one time."""

    def __init__(
        self, store: Store, user: User, source: str, stream: str, stream_n: int, at_ms: int
    ) -> None:
        self._store, self._database, self._user = store, store.database, user
        self._source, self._stream, self._stream_n = source, stream, stream_n
        self._at_ms = at_ms

    def put(self, item_id: str, item: Item) -> None:
        before = self._live(item_id)
        if self._source == GMAIL:
            self._put_message(item_id, item, before)
            return
        if self._stream.startswith("events/"):
            item = self._with_series(item, before)
        self._write(item_id, item)
        kind, prefix = CONTAINERS.get(self._source, ("", ""))
        if self._stream == kind:
            _create_stream(self._store, self._user, self._source, prefix + item_id)

    def remove(self, item_id: str) -> None:
        before = self._live(item_id)
        if before is None:
            return
        if self._source == GMAIL:
            self._remove_message(item_id, before)
        elif self._stream.startswith("events/"):
            self._remove_event(item_id, before)
        else:
            self._remove_other(item_id, before)

    def rename(self, change: Rename) -> None:
        """A contact gets another resource name; its former ones are remembered for good."""
        if self._source != CONTACTS:
            raise ValueError("source: only a contact can be renamed")
        sql = "SELECT former FROM items WHERE stream_n = ? AND item_id = ?"
        row = self._database.row(sql, self._stream_n, change.item_id)
        if row is None:
            raise ValueError("item_id: no such contact")
        if self._live(change.new_item_id) is not None:
            raise ValueError("new_item_id: there is a contact of that name already")
        former = [*json.loads(row[0] or "[]"), change.item_id]
        self._delete(change.item_id)
        self._write(change.new_item_id, change.item, former=dump_json(former))

    # Calendar

    def _with_series(self, item: Item, before: Item | None) -> Item:
        series_id = item.get("recurringEventId")
        if series_id is not None and self._live(series_id) is None:
            raise ValueError("item.recurringEventId: no such series in this calendar")
        if before is None or item.get("status") == "cancelled":
            return item
        kept = {name: before[name] for name in ("created", "iCalUID") if name in before}
        moved = any(item.get(name) != before.get(name) for name in ("start", "end", "recurrence"))
        sequence = before.get("sequence", 0) + (1 if moved else 0)
        return kept | item | {"sequence": sequence}

    def _remove_event(self, item_id: str, before: Item) -> None:
        series_id = before.get("recurringEventId")
        if series_id is not None and self._live(series_id) is not None:
            if before["status"] != "cancelled":  # a deleted instance stays, cancelled
                self._write(item_id, event_stub(before, self._stamp(item_id)))
            return
        self._bury(item_id, event_stub(before, self._stamp(item_id)))
        sql = "SELECT body FROM items WHERE stream_n = ? AND parent = ? AND live = 1"
        for (body,) in self._database.rows(sql, self._stream_n, item_id):
            exception = json.loads(body)
            stub = event_stub(exception, self._stamp(exception["id"]))
            self._bury(exception["id"], stub)

    # Gmail

    def _put_message(self, item_id: str, item: Item, before: Item | None) -> None:
        labels = list(item.get("labelIds") or [])
        if before is None:
            rev = self._write(item_id, item)
            message = _brief(item_id, item, labels)
            record: Item = {"messagesAdded": [{"message": message}]}
            self._record(rev, message, record, labels)
            return
        if str(item.get("threadId")) != before["threadId"]:
            raise ValueError("item.threadId: a message never leaves its thread")
        if self._payload(item_id) != (item.get("payload") or {}):
            raise ValueError("item.payload: a message never changes, apart from its labels")
        self._relabel(item_id, item, before, labels)

    def _relabel(self, item_id: str, item: Item, before: Item, labels: list[str]) -> None:
        had = before.get("labelIds", [])
        added = [label for label in labels if label not in had]
        removed = [label for label in had if label not in labels]
        if not added and not removed:
            return
        rev = self._write(item_id, item)
        message = _brief(item_id, item, labels)
        record: Item = {}
        if added:
            record["labelsAdded"] = [{"message": message, "labelIds": added}]
        if removed:
            record["labelsRemoved"] = [{"message": message, "labelIds": removed}]
        self._record(rev, message, record, [*labels, *removed])

    def _remove_message(self, item_id: str, before: Item) -> None:
        labels = before.get("labelIds", [])
        self._delete(item_id)
        message = _brief(item_id, before, labels)
        record: Item = {"messagesDeleted": [{"message": message}]}
        self._record(self._store.next_rev(self._user), message, record, labels)

    def _record(self, rev: int, message: Item, record: Item, labels: list[str]) -> None:
        body = {"id": str(rev), "messages": [_ids_of(message)]} | record
        self._database.run(
            "INSERT INTO history (user_n, rev, at_ms, labels, body) VALUES (?, ?, ?, ?, ?)",
            *(self._user.n, rev, self._at_ms, tags_of(labels), dump_json(body)),
        )
        _remember_labels(self._store, self._user, set(labels))

    def _payload(self, item_id: str) -> Any:
        sql = "SELECT content FROM items WHERE stream_n = ? AND item_id = ?"
        row = self._database.row(sql, self._stream_n, item_id)
        return None if row is None else json.loads(row[0])

    # Calendar list, contacts, task lists, tasks

    def _remove_other(self, item_id: str, before: Item) -> None:
        kind, prefix = CONTAINERS.get(self._source, ("", ""))
        if self._stream == kind:
            _drop_stream(self._store, self._user, self._source, prefix + item_id)
        stamp = self._stamp(item_id)
        if self._stream == "tasklists":  # lists leave no trace, and take their tasks along
            self._delete(item_id)
        elif self._source == CONTACTS:
            self._bury(item_id, person_tombstone(stamp))
        elif self._source == TASKS:
            dead = {"deleted": True, "etag": stamp.etag, "updated": rfc3339(self._at_ms)}
            self._bury(item_id, before | dead)
        else:
            self._bury(item_id, before | {"deleted": True, "etag": stamp.etag})

    # Rows

    def _stamp(self, item_id: str) -> Stamp:
        return Stamp(self._stream, item_id, self._store.next_rev(self._user), self._at_ms)

    def _live(self, item_id: str) -> Item | None:
        sql = "SELECT body FROM items WHERE stream_n = ? AND item_id = ? AND live = 1"
        row = self._database.row(sql, self._stream_n, item_id)
        return None if row is None else dict(json.loads(row[0]))

    def _write(self, item_id: str, item: Item, former: str | None = None) -> int:
        row = stamped(self._source, item, self._stamp(item_id))
        row.former = former if former is not None else self._former(item_id)
        self._save(row)
        return row.rev

    def _former(self, item_id: str) -> str | None:
        if self._source != CONTACTS:
            return None
        sql = "SELECT former FROM items WHERE stream_n = ? AND item_id = ?"
        row = self._database.row(sql, self._stream_n, item_id)
        return None if row is None else row[0]

    def _bury(self, item_id: str, tombstone: Item) -> None:
        rev = self._store.rev(self._user)
        row = Row(item_id, rev, self._at_ms, dump_json(tombstone), live=0)
        row.sort, row.parent = tombstone.get("position"), tombstone.get("recurringEventId")
        if tombstone.get("kind") == "tasks#task":
            row = stamped(TASKS, tombstone, Stamp(self._stream, item_id, rev, self._at_ms))
            row.live = 0
        row.former = self._former(item_id)  # whoever knows a former name must hear of the end
        self._save(row)

    def _save(self, row: Row) -> None:
        self._database.run(_INSERT, *row.values(self._stream_n))
        sql = "UPDATE streams SET updated_ms = ? WHERE n = ?"
        self._database.run(sql, self._at_ms, self._stream_n)

    def _delete(self, item_id: str) -> None:
        sql = "DELETE FROM items WHERE stream_n = ? AND item_id = ?"
        self._database.run(sql, self._stream_n, item_id)


def _brief(item_id: str, item: Item, labels: list[str]) -> Item:
    brief: Item = {"id": item_id, "threadId": str(item["threadId"])}
    return brief | {"labelIds": labels} if labels else brief


def _ids_of(message: Item) -> Item:
    return {"id": message["id"], "threadId": message["threadId"]}


def _remember_labels(store: Store, user: User, labels: set[str]) -> None:
    sql = "INSERT OR IGNORE INTO labels (user_n, label) VALUES (?, ?)"
    store.database.run_many(sql, [(user.n, label) for label in sorted(labels)])


def _stream(store: Store, user: User, source: str, stream: str) -> int:
    found = store.stream_n(user, source, stream)
    if found is None:
        raise ValueError(f"stream: {source} of this user has no {stream.partition('/')[0]!r} there")
    return found


def _create_stream(store: Store, user: User, source: str, stream: str) -> None:
    sql = "INSERT OR IGNORE INTO streams (user_n, source, stream, updated_ms) VALUES (?, ?, ?, ?)"
    store.database.run(sql, user.n, source, stream, store.clock.now_ms())


def _drop_stream(store: Store, user: User, source: str, stream: str) -> None:
    """With all its items: a calendar or list that is gone answers 404, and its cursors die."""
    stream_n = store.stream_n(user, source, stream)
    store.database.run("DELETE FROM items WHERE stream_n = ?", stream_n)
    store.database.run("DELETE FROM streams WHERE n = ?", stream_n)
