"""The SQLite file behind the sandbox: one connection, one lock, re-entrant transactions.

`synchronous=OFF` is a choice: a killed process loses nothing, because the kernel has every
write, and only a power cut could lose some (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.sandbox.microsoft.tables import MICROSOFT_SCHEMA
from pipeline.sandbox.outreach.tables import OUTREACH_SCHEMA
from pipeline.sandbox.outreach.twilio_tables import TWILIO_SCHEMA

Values = tuple[Any, ...]

#: Raised when SCHEMA changes in a way that an older file does not survive.
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS users (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    ready INTEGER NOT NULL DEFAULT 0,
    rev INTEGER NOT NULL,
    rotate INTEGER NOT NULL DEFAULT 0,
    consents INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS floors (
    user_n INTEGER NOT NULL, source TEXT NOT NULL, rev INTEGER NOT NULL,
    PRIMARY KEY (user_n, source)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    user_n INTEGER NOT NULL, source TEXT NOT NULL, stream TEXT NOT NULL,
    updated_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_n, source, stream)
);
CREATE TABLE IF NOT EXISTS items (
    n INTEGER PRIMARY KEY,
    stream_n INTEGER NOT NULL, item_id TEXT NOT NULL,
    rev INTEGER NOT NULL, live INTEGER NOT NULL,
    sort, updated_ms INTEGER NOT NULL, starts_ms INTEGER, ends_ms INTEGER,
    tags TEXT NOT NULL, parent TEXT, former TEXT,
    body TEXT NOT NULL, head TEXT, content TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS items_by_id ON items (stream_n, item_id);
CREATE INDEX IF NOT EXISTS items_alive ON items (stream_n, item_id) WHERE live = 1;
CREATE INDEX IF NOT EXISTS items_by_rev ON items (stream_n, rev);
CREATE INDEX IF NOT EXISTS items_by_sort
    ON items (stream_n, sort, item_id, live, parent, tags) WHERE sort IS NOT NULL;
CREATE INDEX IF NOT EXISTS items_by_parent ON items (stream_n, parent) WHERE parent IS NOT NULL;

CREATE TABLE IF NOT EXISTS history (
    user_n INTEGER NOT NULL, rev INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    labels TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (user_n, rev)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels (
    user_n INTEGER NOT NULL, label TEXT NOT NULL, PRIMARY KEY (user_n, label)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS access_tokens (
    token TEXT PRIMARY KEY, user_n INTEGER NOT NULL, grant_id TEXT NOT NULL,
    scopes TEXT NOT NULL, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS access_tokens_by_user ON access_tokens (user_n);
CREATE TABLE IF NOT EXISTS refresh_tokens (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE, user_n INTEGER NOT NULL, grant_id TEXT NOT NULL,
    scopes TEXT NOT NULL, dies_ms INTEGER
);
CREATE INDEX IF NOT EXISTS refresh_tokens_by_user ON refresh_tokens (user_n);
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, user_n INTEGER NOT NULL, scopes TEXT NOT NULL,
    redirect_uri TEXT NOT NULL, challenge TEXT, nonce TEXT,
    offline INTEGER NOT NULL, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS topics (
    topic TEXT PRIMARY KEY, endpoint TEXT NOT NULL, audience TEXT NOT NULL,
    service_account TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS watches (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    api TEXT NOT NULL, user_n INTEGER NOT NULL, stream TEXT NOT NULL, name TEXT NOT NULL,
    expires_ms INTEGER NOT NULL, number INTEGER NOT NULL DEFAULT 0,
    told_ms INTEGER NOT NULL DEFAULT 0, silent INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0, details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS watches_by_stream ON watches (user_n, stream);
CREATE INDEX IF NOT EXISTS watches_by_name ON watches (name);
CREATE INDEX IF NOT EXISTS watches_by_end ON watches (expires_ms);
CREATE TABLE IF NOT EXISTS pushes (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    watch_n INTEGER NOT NULL, due_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    state TEXT NOT NULL, number INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0, overtaken INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS pushes_by_watch ON pushes (watch_n, overtaken, n);
"""


class Database:
    """A locked SQLite connection.  `path` is a file name or ":memory:".

    Raises ValueError for a file of another version, sqlite3.Error for one that is no database.
    """

    def __init__(self, path: str) -> None:
        self.lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            self._connection.close()
            raise ValueError(f"{path}: made by another version of the sandbox; delete it")
        self._connection.executescript(SCHEMA + MICROSOFT_SCHEMA + OUTREACH_SCHEMA + TWILIO_SCHEMA)
        self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        with self.lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else in between.  May be nested; the outermost commits."""
        with self.lock:
            outermost = self._depth == 0
            if outermost:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if outermost:
                    self._connection.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    def rows(self, sql: str, *values: Any) -> list[Values]:
        with self.lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Values | None:
        with self.lock:
            found: Values | None = self._connection.execute(sql, values).fetchone()
            return found

    def run(self, sql: str, *values: Any) -> int:
        """Execute a write; returns how many rows it changed."""
        with self.lock:
            return self._connection.execute(sql, values).rowcount

    def run_many(self, sql: str, many_values: Iterable[Values]) -> None:
        with self.lock:
            self._connection.executemany(sql, many_values)

    def meta(self, name: str, default: str) -> str:
        found = self.row("SELECT value FROM meta WHERE name = ?", name)
        return default if found is None else str(found[0])

    def set_meta(self, name: str, value: str) -> None:
        self.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value)
