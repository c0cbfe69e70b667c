"""What mailboxes hold, and what changed in them since a revision: every question, no change."""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.database import Values
from pipeline.sandbox.microsoft.rows import (
    FOLDER_COLUMNS,
    ITEM_COLUMNS,
    Folder,
    Item,
    Message,
)

if TYPE_CHECKING:
    from pipeline.sandbox.store import Store, User

_CHUNK_ROWS = 500
_ITEMS = f"SELECT {ITEM_COLUMNS} FROM mail_items i JOIN mail_folders f ON f.n = i.folder_n"


class NoMailbox(KeyError):
    """The user has no mailbox."""


class NotInMailbox(KeyError):
    """The mailbox has no such folder or message."""


@dataclass(frozen=True)
class Departure:
    """A message that left a folder, with the ids that it had there."""

    rev: int
    message_id: str
    default_id: str


class MailReader:
    """The mailboxes of one sandbox, to look at.  Message ids are taken in both forms."""

    def __init__(self, store: Store) -> None:
        self._store, self._database = store, store.database

    # Mailboxes

    def has_mailbox(self, user: User) -> bool:
        return self._database.row("SELECT 1 FROM mailboxes WHERE user_n = ?", user.n) is not None

    def time_zone(self, user: User) -> str:
        """The zone that the person chose: a Windows or an IANA name."""
        return str(self._mailbox(user, "time_zone"))

    def rev(self, user: User) -> int:
        """The revision of the newest change.  Raises NoMailbox."""
        return int(self._mailbox(user, "rev"))

    def floor(self, user: User) -> int:
        """Delta links from before this revision are expired."""
        return int(self._mailbox(user, "floor"))

    # Folders

    def folders(self, user: User) -> list[Folder]:
        """All living folders, hidden ones too, parents before children; without the root."""
        sql = (
            f"SELECT {FOLDER_COLUMNS} FROM mail_folders WHERE user_n = ? AND live = 1"
            " AND parent_id <> '' ORDER BY n"
        )
        return [Folder.of(row) for row in self._database.rows(sql, user.n)]

    def folder(self, user: User, name: str) -> Folder:
        """By id or well-known name.  Raises NotInMailbox."""
        sql = f"SELECT {FOLDER_COLUMNS} FROM mail_folders WHERE live = 1 AND user_n = ?"
        row = self._database.row(f"{sql} AND folder_id = ?", user.n, name)
        if row is None:
            row = self._database.row(f"{sql} AND well_known = ?", user.n, name.lower())
        if row is None:
            raise NotInMailbox(name)
        return Folder.of(row)

    # Messages

    def message(self, user: User, message_id: str) -> Message | None:
        """The whole message, in Graph's shape, or None."""
        item = self.find(user, message_id)
        return None if item is None else item.shown()

    def messages(self, user: User, folder_id: str | None = None) -> Iterator[Message]:
        """All messages, or those of one folder, oldest row first."""
        folder_n = None if folder_id is None else self.folder(user, folder_id).n
        for item in self.items(user, folder_n):
            yield item.shown()

    def find(self, user: User, message_id: str) -> Item | None:
        """A message by either of its ids."""
        sql = f"{_ITEMS} WHERE i.user_n = ? AND"
        row = self._database.row(f"{sql} i.message_id = ?", user.n, message_id)
        if row is None:
            row = self._database.row(f"{sql} i.default_id = ?", user.n, message_id)
        return None if row is None else Item(*row)

    def item(self, user: User, message_id: str) -> Item:
        """Raises NotInMailbox."""
        found = self.find(user, message_id)
        if found is None:
            raise NotInMailbox(message_id)
        return found

    def items(self, user: User, folder_n: int | None = None) -> Iterator[Item]:
        """Messages in order of their rows, a chunk at a time: they may change meanwhile."""
        place = "" if folder_n is None else f" AND i.folder_n = {int(folder_n)}"
        sql = f"{_ITEMS} WHERE i.user_n = ? AND i.n > ?{place} ORDER BY i.n LIMIT {_CHUNK_ROWS}"
        after = 0
        while rows := self._database.rows(sql, user.n, after):
            yield from (Item(*row) for row in rows)
            after = rows[-1][0]

    def by_date(
        self, user: User, folder_n: int | None, after: list[int] | None, limit: int, *, down: bool
    ) -> list[tuple[int, Item]]:
        """Messages by when they were received, behind the key `after`: that time and the row."""
        place = "i.user_n = ?" if folder_n is None else "i.user_n = ? AND i.folder_n = ?"
        values: list[Any] = [user.n] if folder_n is None else [user.n, folder_n]
        order, direction = ("<", "DESC") if down else (">", "ASC")
        if after is not None:
            place += f" AND (i.received_ms, i.n) {order} (?, ?)"
            values += after
        sql = (
            f"SELECT i.received_ms, {ITEM_COLUMNS} FROM mail_items i"
            f" JOIN mail_folders f ON f.n = i.folder_n WHERE {place}"
            f" ORDER BY i.received_ms {direction}, i.n {direction} LIMIT ?"
        )
        return [(row[0], Item(*row[1:])) for row in self._database.rows(sql, *values, limit)]

    def nth(self, user: User, share: float) -> Item | None:
        """The message at this share of the way through the mailbox, newest first."""
        row = self._database.row("SELECT count(*) FROM mail_items WHERE user_n = ?", user.n)
        offset = 0 if row is None else int(share * row[0])
        sql = f"{_ITEMS} WHERE i.user_n = ? ORDER BY i.received_ms DESC, i.n DESC LIMIT 1 OFFSET ?"
        found = self._database.row(sql, user.n, offset)
        return None if found is None else Item(*found)

    def counts(self, user: User) -> dict[int, tuple[int, int]]:
        """By number of folder: how many messages it holds, and how many of them are unread."""
        sql = (
            "SELECT folder_n, count(*), sum(is_read = 0) FROM mail_items WHERE user_n = ?"
            " GROUP BY folder_n"
        )
        return {row[0]: (row[1], row[2]) for row in self._database.rows(sql, user.n)}

    # Since a revision

    def changed(
        self, folder_n: int, rev: int, limit: int, *, quiet: bool
    ) -> list[tuple[Item, dict[str, int]]]:
        """Messages of a folder that came or changed after `rev`, and which of their properties
        changed at which revision.  `quiet` says whether those that moved here unsaid count."""
        told = "" if quiet else " AND i.quiet = 0"
        sql = (
            f"SELECT i.changes, {ITEM_COLUMNS} FROM mail_items i"
            " JOIN mail_folders f ON f.n = i.folder_n"
            f" WHERE i.folder_n = ? AND i.rev > ?{told} ORDER BY i.rev LIMIT ?"
        )
        rows = self._database.rows(sql, folder_n, rev, limit)
        return [(Item(*row[1:]), json.loads(row[0])) for row in rows]

    def departed(self, folder_n: int, rev: int, limit: int, *, quiet: bool) -> list[Departure]:
        """What left a folder after `rev`, and is not back, or is back `quiet`ly unsaid."""
        told = "" if quiet else " AND i.quiet = 0"
        sql = (
            "SELECT d.rev, d.message_id, d.default_id FROM mail_departures d"
            " WHERE d.folder_n = ? AND d.rev > ? AND NOT EXISTS (SELECT 1 FROM mail_items i"
            f" WHERE i.message_id = d.message_id AND i.folder_n = d.folder_n{told})"
            " ORDER BY d.rev LIMIT ?"
        )
        return [Departure(*row) for row in self._database.rows(sql, folder_n, rev, limit)]

    def folders_since(self, user: User, rev: int) -> list[Folder]:
        """Folders that came, changed or went after `rev`, in that order; without the root."""
        sql = (
            f"SELECT {FOLDER_COLUMNS} FROM mail_folders WHERE user_n = ? AND rev > ?"
            " AND parent_id <> '' ORDER BY rev"
        )
        return [Folder.of(row) for row in self._database.rows(sql, user.n, rev)]

    def _mailbox(self, user: User, column: str) -> Any:
        sql = f"SELECT {column} FROM mailboxes WHERE user_n = ?"
        row: Values | None = self._database.row(sql, user.n)
        if row is None:
            raise NoMailbox(user.user)
        return row[0]
