"""Anything that may happen to a mailbox, by chance and the same each time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from pipeline.sandbox.client import SandboxClient

_FIXED = ("inbox", "archive", "deleteditems", "junkemail")


class MailLife:
    """Random changes to one sandbox mailbox: mail and folders come, change, move and go."""

    def __init__(self, sandbox: SandboxClient, user_id: str, seed: int) -> None:
        self._sandbox, self._user_id = sandbox, user_id
        self._chance = random.Random(seed)
        self._made = 0

    def live(self, changes: int) -> None:
        """Make some changes."""
        for _ in range(changes):
            act = self._chance.choices(
                [self._add, self._move, self._patch, self._remove, self._change_folder],
                weights=[6, 6, 6, 2, 2],
            )[0]
            act()

    def _ids(self) -> list[str]:
        return sorted(m["id"] for m in self._sandbox.mail_messages(self._user_id))

    def _some(self) -> str | None:
        ids = self._ids()
        return self._chance.choice(ids) if ids else None

    def _own_folders(self) -> list[str]:
        folders = self._sandbox.mail_folders(self._user_id)
        return sorted(f["id"] for f in folders if f["well_known"] is None)

    def _folder(self) -> str:
        return self._chance.choice([*_FIXED, *self._own_folders()])

    def _add(self) -> None:
        self._made += 1
        at = datetime.now(UTC) - timedelta(days=self._chance.choice([0, 1, 30, 200]))
        message = {"subject": f"Mail {self._made}"}
        self._sandbox.mail_add(self._user_id, self._folder(), message, at)

    def _move(self) -> None:
        if mail := self._some():
            for _ in range(self._chance.choice([1, 1, 2])):  # there, or there and back
                self._sandbox.mail_move(self._user_id, mail, self._folder())

    def _patch(self) -> None:
        if mail := self._some():
            changes = self._chance.choice(
                [
                    {"isRead": True},
                    {"isRead": False},
                    {"categories": ["Blue"]},
                    {"flag": {"flagStatus": "flagged"}},
                    {"importance": "high"},
                ]
            )
            self._sandbox.mail_patch(self._user_id, mail, changes)

    def _remove(self) -> None:
        if mail := self._some():
            self._sandbox.mail_remove(self._user_id, mail)

    def _change_folder(self) -> None:
        own = self._own_folders()
        self._made += 1
        what = self._chance.choice(["add", "rename", "remove"])
        if what == "add" or not own:
            parent = self._chance.choice([None, *own])
            self._sandbox.mail_folder_add(self._user_id, f"Folder {self._made}", parent)
        elif what == "rename":
            folder = self._chance.choice(own)
            self._sandbox.mail_folder_rename(self._user_id, folder, f"Name {self._made}")
        else:
            self._sandbox.mail_folder_remove(self._user_id, self._chance.choice(own))
