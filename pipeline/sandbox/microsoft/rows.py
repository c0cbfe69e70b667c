"""Folders and messages as rows, and as Graph shows them.

https://learn.microsoft.com/graph/api/resources/message
https://learn.microsoft.com/graph/api/resources/mailfolder
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.sandbox.database import Values
from pipeline.sandbox.microsoft.ids import change_key

Message = dict[str, Any]

ROOT = "msgfolderroot"
INBOX, DRAFTS, SENT, DELETED = "inbox", "drafts", "sentitems", "deleteditems"
ARCHIVE, JUNK, OUTBOX = "archive", "junkemail", "outbox"
#: The folders that every mailbox has, by their well-known names.
WELL_KNOWN = {
    INBOX: "Inbox",
    DRAFTS: "Drafts",
    SENT: "Sent Items",
    DELETED: "Deleted Items",
    ARCHIVE: "Archive",
    JUNK: "Junk Email",
    OUTBOX: "Outbox",
}

FOLDER_COLUMNS = "n, folder_id, parent_id, name, well_known, hidden, rev, live"
ITEM_COLUMNS = "i.n, i.message_id, i.default_id, i.folder_n, f.folder_id, i.rev, i.came_rev, i.body"

_PREVIEW_CHARACTERS = 255


@dataclass(frozen=True)
class Folder:
    """A folder; `well_known` is its name to programs, such as "inbox", if it has one."""

    n: int
    id: str
    parent_id: str
    name: str
    well_known: str | None
    hidden: bool
    rev: int
    live: bool

    @staticmethod
    def of(row: Values) -> Folder:
        n, folder_id, parent_id, name, well_known, hidden, rev, live = row
        return Folder(n, folder_id, parent_id, name, well_known, bool(hidden), rev, bool(live))


@dataclass(frozen=True)
class Item:
    """A message; `id` stays for ever, and `default_id` is another one after each move.

    `body` is what Graph shows, without ids, parentFolderId and changeKey; `came_rev` the
    revision at which it came into its folder.
    """

    n: int
    id: str
    default_id: str
    folder_n: int
    folder_id: str
    rev: int
    came_rev: int
    body: str

    def shown(self, *, immutable: bool = True) -> Message:
        """The whole message, as a GET without $select might show it."""
        key = change_key(self.rev)
        head: Message = {
            "@odata.etag": f'W/"{key}"',
            "id": self.id if immutable else self.default_id,
            "changeKey": key,
            "parentFolderId": self.folder_id,
        }
        head.update(json.loads(self.body))
        return head


def second_text(at: datetime) -> str:
    """A moment as Outlook writes it: UTC, whole seconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def completed(message: Message, at: datetime, number: int, email: str) -> Message:
    """A new message with everything that the server adds to what it was given."""
    now = second_text(at)
    sender = message.get("from") or {"emailAddress": {"name": email, "address": email}}
    content = message.get("body") or {"contentType": "text", "content": ""}
    defaults: Message = {
        "createdDateTime": now,
        "lastModifiedDateTime": now,
        "receivedDateTime": now,
        "sentDateTime": now,
        "categories": [],
        "hasAttachments": False,
        "internetMessageId": f"<{number}.{int(at.timestamp())}@mail.sandbox.example>",
        "internetMessageHeaders": [],
        "subject": "",
        "bodyPreview": preview(content),
        "importance": "normal",
        "conversationId": f"AAQkAD{number:024d}",
        "isRead": False,
        "isDraft": False,
        "inferenceClassification": "focused",
        "sender": sender,
        "from": sender,
        "toRecipients": [],
        "ccRecipients": [],
        "bccRecipients": [],
        "replyTo": [],
        "flag": {"flagStatus": "notFlagged"},
    }
    given = {name: value for name, value in message.items() if value is not None}
    return defaults | given | {"body": content}


def preview(content: dict[str, Any]) -> str:
    """The beginning of a body, without its tags."""
    return plain_text(str(content.get("content", "")))[:_PREVIEW_CHARACTERS]


def plain_text(content: str) -> str:
    """The words of a text or of HTML."""
    return " ".join(re.sub(r"<[^>]*>", " ", content).split())
