"""Every user's true state in one SQLite file: users, streams, items, revisions and cursor floors.

Each user has one growing revision number; every change takes the next ones. All cursors are
such numbers in disguise (sync tokens carry one, Gmail's history ids are ones), so "what changed
since" is one indexed question.  A floor, per user and source, is the oldest one still honoured.
"""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.sandbox import writing
from pipeline.sandbox.changes import Change
from pipeline.sandbox.clock import Clock, epoch_ms
from pipeline.sandbox.cursors import CursorCodec
from pipeline.sandbox.database import Database
from pipeline.sandbox.generate import Seeded
from pipeline.sandbox.microsoft import MAIL
from pipeline.sandbox.microsoft.store import MailStore
from pipeline.sandbox.microsoft.tables import OF_A_USER
from pipeline.sandbox.outreach.inbox import Inbox
from pipeline.sandbox.push.outbox import Outbox
from pipeline.sandbox.stamps import SOURCES

_LOAD_CHUNK_ITEMS = 2000


@dataclass(frozen=True)
class User:
    """A user of the sandbox; `n` is its row, never reused."""

    n: int
    user: str
    email: str

    @property
    def subject(self) -> str:
        """The `sub` claim: a number that never changes."""
        return f"1{self.n:020d}"


class UnknownUser(KeyError):
    """No such user."""


class Store:
    """The state of one sandbox.  Every method may be called from any thread."""

    def __init__(self, path: str) -> None:
        self.database = Database(path)
        self.clock = Clock(float(self.database.meta("clock_offset_seconds", "0")))
        secret = self.database.meta("cursor_secret", "") or secrets.token_hex(16)
        self.database.set_meta("cursor_secret", secret)
        self.cursors = CursorCodec(secret.encode())
        self.outbox = Outbox(self.database, self.clock)
        self.mail = MailStore(self)
        self.inbox = Inbox(self.database, self.clock)

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """No write happens inside: revision and rows that are read here belong together."""
        with self.database.lock:
            yield self.database

    def advance_clock(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.database.set_meta("clock_offset_seconds", str(self.clock.offset_seconds))

    def reset_clock(self) -> None:
        """Show real time again.  Raises ValueError while there are users, who live by the other."""
        if self.users():
            raise ValueError("the clock goes back only while there are no users")
        self.clock.reset()
        self.database.set_meta("clock_offset_seconds", "0")

    # Users

    def users(self) -> list[User]:
        sql = "SELECT n, user, email FROM users WHERE ready = 1 ORDER BY user"
        return [User(*row) for row in self.database.rows(sql)]

    def find_user(self, name: str) -> User | None:
        """By user id or e-mail address."""
        sql = "SELECT n, user, email FROM users WHERE ready = 1 AND (user = ? OR email = ?)"
        found = self.database.row(sql, name, name)
        return None if found is None else User(*found)

    def user(self, name: str) -> User:
        """Raises UnknownUser."""
        found = self.find_user(name)
        if found is None:
            raise UnknownUser(name)
        return found

    def user_by_n(self, user_n: int) -> User | None:
        found = self.database.row("SELECT n, user, email FROM users WHERE n = ?", user_n)
        return None if found is None else User(*found)

    def add_user(self, name: str, email: str, items: Iterable[Seeded]) -> bool:
        """Create a user and everything that it has; False if there is one already.

        The user exists for others only once every item is in.  What a killed process left half
        done is thrown away and made anew.
        """
        if self.find_user(name) is not None:
            return False
        with self.database.transaction():
            self._drop(name)
            self.database.run("INSERT INTO users (user, email, rev) VALUES (?, ?, 0)", name, email)
            row = self.database.row("SELECT n FROM users WHERE user = ?", name)
            assert row is not None  # inserted above
            user = User(row[0], name, email)
            self.database.run("UPDATE users SET rev = ? WHERE n = ?", 100_000 * user.n, user.n)
            for source in SOURCES:
                self.set_floor(user, source)
            writing.create_fixed_streams(self, user)
        at_ms = self.clock.now_ms()
        for chunk in _chunks(items, _LOAD_CHUNK_ITEMS):
            writing.load(self, user, chunk, at_ms)
        self.database.run("UPDATE users SET ready = 1 WHERE n = ?", user.n)
        return True

    def delete_user(self, name: str) -> None:
        """Raises UnknownUser."""
        self.user(name)
        with self.database.transaction():
            self._drop(name)

    def _drop(self, name: str) -> None:
        row = self.database.row("SELECT n FROM users WHERE user = ?", name)
        if row is None:
            return
        owned = "SELECT n FROM streams WHERE user_n = ?"
        self.database.run(f"DELETE FROM items WHERE stream_n IN ({owned})", row[0])
        watched = "SELECT n FROM watches WHERE user_n = ?"
        self.database.run(f"DELETE FROM pushes WHERE watch_n IN ({watched})", row[0])
        tables = ("streams", "floors", "history", "labels", "watches")
        for table in (*tables, "access_tokens", "refresh_tokens", "codes", *OF_A_USER):
            self.database.run(f"DELETE FROM {table} WHERE user_n = ?", row[0])
        self.database.run("DELETE FROM users WHERE n = ?", row[0])

    # Revisions and cursors

    def rev(self, user: User) -> int:
        """The revision of the user's newest change; Gmail's current history id."""
        row = self.database.row("SELECT rev FROM users WHERE n = ?", user.n)
        return 0 if row is None else int(row[0])

    def next_rev(self, user: User) -> int:
        """Take the next revision.  They grow with gaps, as Gmail's history ids do
        (https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list)."""
        rev = self.rev(user)
        rev += 1 + (rev * 2654435761 >> 7) % 7
        self.database.run("UPDATE users SET rev = ? WHERE n = ?", rev, user.n)
        return rev

    def floor(self, user: User, source: str) -> int:
        """Cursors from before this revision are expired."""
        sql = "SELECT rev FROM floors WHERE user_n = ? AND source = ?"
        row = self.database.row(sql, user.n, source)
        return 0 if row is None else int(row[0])

    def sources(self, user: User) -> list[str]:
        """What the user has: Google's sources, and mail at Microsoft with a mailbox there."""
        return [*SOURCES, *([MAIL] if self.mail.has_mailbox(user) else [])]

    def set_floor(self, user: User, source: str) -> None:
        """Expire every cursor that was handed out for this user's source until now."""
        if source == MAIL:
            self.mail.expire_cursors(user)
            return
        with self.database.transaction():
            rev = self.next_rev(user)
            sql = "INSERT OR REPLACE INTO floors (user_n, source, rev) VALUES (?, ?, ?)"
            self.database.run(sql, user.n, source, rev)

    # Writing

    def apply(self, user: str, change: Change, at: datetime) -> int:
        """Make one change at `at`; returns the user's revision after it.

        Removing what is not there changes nothing.  Raises UnknownUser, and ValueError for an
        item that its source could not have.
        """
        with self.database.transaction():
            found = self.user(user)
            watched = self.outbox.watches.any_of(found.n)
            before = self.rev(found) if watched else 0
            writing.apply(self, found, change, epoch_ms(at))
            after = self.rev(found)
            if watched and after != before:
                self.outbox.announce(found, change, before)
            return after

    # View: what proposals of changes are made from

    def streams(self, user: str, source: str) -> list[str]:
        sql = "SELECT stream FROM streams WHERE user_n = ? AND source = ? ORDER BY stream"
        return [row[0] for row in self.database.rows(sql, self.user(user).n, source)]

    def item_ids(
        self, user: str, source: str, stream: str, limit: int, offset: int = 0
    ) -> list[str]:
        """Ids of live items in their order; cancelled instances of a living series are live."""
        sql = (
            "SELECT item_id FROM items INDEXED BY items_alive WHERE stream_n = ? AND live = 1"
            " ORDER BY item_id LIMIT ? OFFSET ?"
        )
        stream_n = self.stream_n(self.user(user), source, stream)
        return [row[0] for row in self.database.rows(sql, stream_n, limit, offset)]

    def count(self, user: str, source: str, stream: str) -> int:
        stream_n = self.stream_n(self.user(user), source, stream)
        sql = "SELECT count(*) FROM items INDEXED BY items_alive WHERE stream_n = ? AND live = 1"
        row = self.database.row(sql, stream_n)
        return 0 if row is None else int(row[0])

    def item(self, user: str, source: str, stream: str, item_id: str) -> dict[str, Any] | None:
        """A live item in full, as its owner gets it."""
        sql = "SELECT body, content FROM items WHERE stream_n = ? AND item_id = ? AND live = 1"
        row = self.database.row(sql, self.stream_n(self.user(user), source, stream), item_id)
        if row is None:
            return None
        body: dict[str, Any] = json.loads(row[0])
        return body if row[1] is None else body | {"payload": json.loads(row[1])}

    def stream_n(self, user: User, source: str, stream: str) -> int | None:
        """The number of a stream; None when there is no such stream."""
        sql = "SELECT n FROM streams WHERE user_n = ? AND source = ? AND stream = ?"
        row = self.database.row(sql, user.n, source, stream)
        return None if row is None else int(row[0])

    def counts(self, user: User) -> dict[str, dict[str, int]]:
        """Live items by source, and by stream for the fixed streams; others are summed up."""
        sql = (
            "SELECT s.source, s.stream, count(i.n) FROM streams s LEFT JOIN items i"
            " ON i.stream_n = s.n AND i.live = 1 WHERE s.user_n = ? GROUP BY s.n"
        )
        totals: dict[str, dict[str, int]] = {source: {} for source in SOURCES}
        for source, stream, count in self.database.rows(sql, user.n):
            kind = stream.partition("/")[0]
            totals[source][kind] = totals[source].get(kind, 0) + count
        if self.mail.has_mailbox(user):
            messages = sum(count for count, _ in self.mail.counts(user).values())
            totals[MAIL] = {"folders": len(self.mail.folders(user)), "messages": messages}
        return totals


def _chunks(items: Iterable[Seeded], size: int) -> Iterator[list[Seeded]]:
    chunk: list[Seeded] = []
    for item in items:
        chunk.append(item)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
