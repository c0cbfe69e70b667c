"""Which contacts a file has named already, however long it is: in a file on disk of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from typing import Self

#: Memory that is used at most, in KiB; what is more goes to a temporary file.
_CACHE_KIB = 16_384
_PER_QUERY = 500


class SeenRows:
    """By which row something was named first.  Only hashes are kept, and those not for long."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, row INT) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def rows_of(self, names: Iterable[str]) -> dict[str, int]:
        """Return the rows by which those of `names` that are known were named."""
        by_key = {_key(name): name for name in names}
        keys, found = list(by_key), {}
        for start in range(0, len(keys), _PER_QUERY):
            some = keys[start : start + _PER_QUERY]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, row FROM seen WHERE key IN ({marks})"  # noqa: S608 - only marks
            for key, row in self._database.execute(query, some):
                found[by_key[key]] = row
        return found

    def add(self, rows: dict[str, int]) -> None:
        """Keep by which row each name was named; the first one stays."""
        entries = [(_key(name), row) for name, row in rows.items()]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", entries)
        self._database.execute("COMMIT")


def _key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
