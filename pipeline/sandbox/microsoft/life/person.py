"""A person at work on the inbox: does with mail what was decided for it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.microsoft.life import composing
from pipeline.sandbox.microsoft.life.behaviour import Deed
from pipeline.sandbox.microsoft.life.days import Act
from pipeline.sandbox.microsoft.life.lives import Life
from pipeline.sandbox.microsoft.life.words import CATEGORIES
from pipeline.sandbox.microsoft.rows import ARCHIVE, DELETED, INBOX, SENT

if TYPE_CHECKING:
    from pipeline.sandbox.microsoft.store import MailStore
    from pipeline.sandbox.store import User


class Person:
    """One user at work on the inbox."""

    def __init__(self, mail: MailStore, user: User, life: Life, places: dict[str, str]) -> None:
        self._mail, self._user, self._life = mail, user, life
        self._inbox = self._mail.folder(user, INBOX).id
        self._places = places

    def does(self, act: Act, message_id: str) -> bool:
        """Do it, unless somebody else has taken the mail away, or it was done before."""
        item = self._mail.find(self._user, message_id)
        if item is None or item.folder_id != self._inbox:
            return False
        before = item.rev
        self._do(act, message_id)
        after = self._mail.find(self._user, message_id)
        return after is None or after.rev != before

    def _do(self, act: Act, message_id: str) -> None:
        match act.way.deed:
            case Deed.READ:
                self._mark(message_id, {"isRead": True}, act.at)
            case Deed.FLAG:
                self._mark(message_id, {"flag": {"flagStatus": "flagged"}}, act.at)
            case Deed.CATEGORIZE:
                self._mark(message_id, {"categories": [CATEGORIES[0]]}, act.at)
            case Deed.DELETE:
                self._mail.move(self._user, message_id, DELETED, act.at)
            case Deed.ARCHIVE:
                self._mail.move(self._user, message_id, ARCHIVE, act.at)
            case Deed.MOVE:
                self._file(message_id, self._places.get(act.way.folder), act.at)
            case Deed.REPLY:
                self._reply(act, message_id)

    def _mark(self, message_id: str, changes: dict[str, Any], at: datetime) -> None:
        self._mail.patch(self._user, message_id, changes, at)

    def _file(self, message_id: str, folder_id: str | None, at: datetime) -> None:
        if folder_id is None:  # its owner removed the folder
            return
        self._mark(message_id, {"isRead": True}, at)
        self._mail.move(self._user, message_id, folder_id, at)

    def _reply(self, act: Act, message_id: str) -> None:
        item = self._mail.item(self._user, message_id)
        message = json.loads(item.body)
        if message["isRead"]:
            return
        self._mark(message_id, {"isRead": True}, act.at)
        random = self._life.random(act.letter.key, "reply")
        key = f"{act.letter.key}.reply"
        reply = composing.outgoing(self._life, random, message["from"], message, key)
        self._mail.add_message(self._user, SENT, reply, act.at)
