"""Every mailbox's true state: folders, messages, and what changed since which revision.

A mailbox has one growing revision; a delta link is such a number in disguise.  A message that
leaves a folder, by a move or for good, leaves a *departure* there.
"""

# Every SQL text below is put together from constants; values are always bound.

from __future__ import annotations

import json
import zlib
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import parse_rfc3339_ms
from pipeline.sandbox.microsoft import ids
from pipeline.sandbox.microsoft.announcing import CREATED, DELETED, MOVED, UPDATED, announce
from pipeline.sandbox.microsoft.delivering import deliver
from pipeline.sandbox.microsoft.reading import MailReader, NoMailbox, NotInMailbox
from pipeline.sandbox.microsoft.rows import (
    INBOX,
    ROOT,
    WELL_KNOWN,
    Item,
    Message,
    completed,
    preview,
    second_text,
)
from pipeline.sandbox.microsoft.rule_acts import act, rules_of

__all__ = ["MailStore", "NoMailbox", "NotInMailbox"]

if TYPE_CHECKING:
    from pipeline.sandbox.store import User

#: What only the server sets; in a new message or a change it is ignored.
_OURS = frozenset(("id", "changeKey", "parentFolderId", "@odata.etag", "@odata.type"))


class MailStore(MailReader):
    """The mailboxes of one sandbox.  Every method may be called from any thread.

    Message ids are taken in both forms and given in the immutable one.  Each change gets a
    revision of its own; `at` is when it happened, the sandbox's now if it is left out.
    """

    # Mailboxes

    def ensure_mailbox(self, user: User, time_zone: str = "UTC") -> bool:
        """Give the user a mailbox with the well-known folders; False if there is one already."""
        with self._database.transaction():
            if self.has_mailbox(user):
                return False
            sql = "INSERT INTO mailboxes (user_n, time_zone) VALUES (?, ?)"
            self._database.run(sql, user.n, time_zone)
            root_id = self._insert_folder(user, "Top of Information Store", "", ROOT)
            for well_known, name in WELL_KNOWN.items():
                self._insert_folder(user, name, root_id, well_known)
            return True

    def set_time_zone(self, user: User, time_zone: str) -> None:
        sql = "UPDATE mailboxes SET time_zone = ? WHERE user_n = ?"
        self._database.run(sql, time_zone, user.n)

    def expire_cursors(self, user: User) -> None:
        """Expire every delta link that was handed out until now."""
        sql = "UPDATE mailboxes SET rev = rev + 1, floor = rev + 1 WHERE user_n = ?"
        self._database.run(sql, user.n)

    # Folders

    def add_folder(
        self,
        user: User,
        name: str,
        parent_id: str | None = None,
        now: datetime | None = None,  # noqa: ARG002 - as every change has
        *,
        hidden: bool = False,
    ) -> str:
        """Make a folder, at the top or under `parent_id`; returns its id.

        A folder has no times of its own, so `now` changes nothing.  Raises NotInMailbox.
        """
        with self._database.transaction():
            parent = self.folder(user, parent_id or ROOT)
            self._count_children_anew(user, parent.id)
            return self._insert_folder(user, name, parent.id, None, hidden=hidden)

    def rename_folder(self, user: User, folder_id: str, name: str) -> None:
        """Raises NotInMailbox."""
        with self._database.transaction():
            folder = self.folder(user, folder_id)
            sql = "UPDATE mail_folders SET name = ?, rev = ? WHERE n = ?"
            self._database.run(sql, name, self._next_rev(user), folder.n)

    def remove_folder(self, user: User, folder_id: str) -> None:
        """Delete a folder with all that is in it.  Raises NotInMailbox."""
        with self._database.transaction():
            folder = self.folder(user, folder_id)
            inside = "SELECT folder_id FROM mail_folders WHERE parent_id = ? AND live = 1"
            for row in self._database.rows(inside, folder.id):
                self.remove_folder(user, row[0])
            for item in self.items(user, folder.n):
                self.remove(user, item.id)
            sql = "UPDATE mail_folders SET live = 0, rev = ? WHERE n = ?"
            self._database.run(sql, self._next_rev(user), folder.n)
            self._count_children_anew(user, folder.parent_id)

    def _count_children_anew(self, user: User, folder_id: str) -> None:
        """A folder shows how many are in it, so it changes with them."""
        sql = "UPDATE mail_folders SET rev = ? WHERE folder_id = ?"
        self._database.run(sql, self._next_rev(user), folder_id)

    def _insert_folder(
        self, user: User, name: str, parent_id: str, well_known: str | None, *, hidden: bool = False
    ) -> str:
        row = self._database.row("SELECT coalesce(max(n), 0) + 1 FROM mail_folders")
        assert row is not None  # an aggregate has one row
        folder_id = ids.folder_id(ids.mailbox_text(user.n, user.email), row[0])
        self._database.run(
            "INSERT INTO mail_folders (user_n, folder_id, parent_id, name, well_known, hidden, rev)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(user.n, folder_id, parent_id, name, well_known, int(hidden), self._next_rev(user)),
        )
        return folder_id

    # Messages

    def add_message(
        self, user: User, folder_id: str, message: Message, at: datetime | None = None
    ) -> str:
        """Put a new message into a folder; returns its immutable id.

        What `message`, in Graph's shape, leaves out is filled in: it was received at `at`.
        Raises NotInMailbox.
        """
        at = at or self._store.clock.now()
        with self._database.transaction():
            folder, rev = self.folder(user, folder_id), self._next_rev(user)
            row = self._database.row(
                "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'mail_items'"
            )
            number = 1 if row is None else int(row[0])
            mailbox = ids.mailbox_text(user.n, user.email)
            given = {name: value for name, value in message.items() if name not in _OURS}
            body = completed(given, at, number, user.email)
            self._database.run(
                "INSERT INTO mail_items (n, user_n, message_id, default_id, folder_n, rev,"
                " came_rev, received_ms, is_read, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(number, user.n, ids.immutable_id(mailbox, number)),
                *(ids.default_id(mailbox, number, folder.n, rev), folder.n, rev, rev),
                *(parse_rfc3339_ms(body["receivedDateTime"]), int(body["isRead"]), dump_json(body)),
            )
            message_id = ids.immutable_id(mailbox, number)
            if self._store.outbox.watches.any_of(user.n):
                self._announce(user, CREATED, self.item(user, message_id))
            if folder.well_known == INBOX and not body["isDraft"]:
                self._act_by_rules(user, message_id)
            return message_id

    def _act_by_rules(self, user: User, message_id: str) -> None:
        rules = rules_of(self._database, user)
        if rules:
            act(self, user, message_id, rules, partial(deliver, self._store, user))

    def move(self, user: User, message_id: str, folder_id: str, at: datetime | None = None) -> Item:
        """Put a message into another folder; nothing happens if it is there already.

        Raises NotInMailbox.
        """
        with self._database.transaction():
            item, folder = self.item(user, message_id), self.folder(user, folder_id)
            if item.folder_n == folder.n:
                return item
            rev = self._next_rev(user)
            mailbox = ids.mailbox_text(user.n, user.email)
            body = json.loads(item.body) | self._touched(at)
            self._depart(user, item, rev)
            self._database.run(
                "UPDATE mail_items SET folder_n = ?, default_id = ?, rev = ?, came_rev = ?,"
                " quiet = ?, changes = '{}', body = ? WHERE n = ?",
                *(folder.n, ids.default_id(mailbox, item.n, folder.n, rev), rev, rev),
                *(int(self._moves_quietly(item, rev)), dump_json(body), item.n),
            )
            moved = self.item(user, item.id)
            self._announce(user, MOVED, moved, item)
            return moved

    def patch(
        self, user: User, message_id: str, changes: dict[str, Any], at: datetime | None = None
    ) -> Item:
        """Change properties of a message; those that have the value already do not count.

        Raises NotInMailbox.
        """
        with self._database.transaction():
            item = self.item(user, message_id)
            body = json.loads(item.body)
            changed = {
                name: value
                for name, value in changes.items()
                if name not in _OURS and body.get(name) != value
            }
            if not changed:
                return item
            if "body" in changed:
                changed["bodyPreview"] = preview(changed["body"])
            rev = self._next_rev(user)
            body |= changed | self._touched(at)
            self._write_change(item, rev, body, changed)
            patched = self.item(user, item.id)
            self._announce(user, UPDATED, patched)
            return patched

    def _write_change(self, item: Item, rev: int, body: Message, changed: Message) -> None:
        row = self._database.row("SELECT changes FROM mail_items WHERE n = ?", item.n)
        assert row is not None  # read in this transaction
        changes = json.loads(row[0]) | dict.fromkeys(changed, rev)
        self._database.run(
            "UPDATE mail_items SET rev = ?, quiet = 0, changes = ?, is_read = ?, received_ms = ?,"
            " body = ? WHERE n = ?",
            *(rev, dump_json(changes), int(body["isRead"])),
            *(parse_rfc3339_ms(body["receivedDateTime"]), dump_json(body), item.n),
        )

    def remove(
        self,
        user: User,
        message_id: str,
        at: datetime | None = None,  # noqa: ARG002 - as every change has
    ) -> None:
        """Delete a message for good; `at` leaves no trace.  Raises NotInMailbox."""
        with self._database.transaction():
            item = self.item(user, message_id)
            self._depart(user, item, self._next_rev(user))
            self._database.run("DELETE FROM mail_items WHERE n = ?", item.n)
            self._announce(user, DELETED, item)

    def _announce(self, user: User, change: str, item: Item, before: Item | None = None) -> None:
        announce(self._store, user, change, item, before)

    def _depart(self, user: User, item: Item, rev: int) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO mail_departures (folder_n, message_id, default_id, user_n, rev)"
            " VALUES (?, ?, ?, ?, ?)",
            *(item.folder_n, item.id, item.default_id, user.n, rev),
        )

    def _touched(self, at: datetime | None) -> Message:
        return {"lastModifiedDateTime": second_text(at or self._store.clock.now())}

    def _moves_quietly(self, item: Item, rev: int) -> bool:
        """Whether the folder that a message moves to says nothing of it, as Graph may do:
        https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/72"""
        share = self._store.outbox.settings.microsoft_quiet_move_share
        return zlib.crc32(f"{item.id} {rev}".encode()) % 1000 < 1000 * share

    # Revisions

    def next_number(self, user: User) -> int:
        """A number that nothing else in the mailbox has."""
        with self._database.transaction():
            return self._next_rev(user)

    def _next_rev(self, user: User) -> int:
        sql = "UPDATE mailboxes SET rev = rev + 1 WHERE user_n = ?"
        self._database.run(sql, user.n)
        return self.rev(user)
