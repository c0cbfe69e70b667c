"""Mail as it lands, for tests."""

from __future__ import annotations

from typing import Any

INBOX, DELETED, DRAFTS, ARCHIVE, STAGING = (
    "f-inbox",
    "f-deleted",
    "f-drafts",
    "f-archive",
    "f-stage",
)
JUNK, SENT, PROJECTS = "f-junk", "f-sent", "f-projects"

FOLDERS: list[dict[str, Any]] = [
    {"id": INBOX, "displayName": "Posteingang", "wellKnownName": "inbox"},
    {"id": DELETED, "displayName": "Gelöschte Elemente", "wellKnownName": "deleteditems"},
    {"id": DRAFTS, "displayName": "Entwürfe", "wellKnownName": "drafts"},
    {"id": SENT, "displayName": "Gesendete Elemente", "wellKnownName": "sentitems"},
    {"id": JUNK, "displayName": "Junk", "wellKnownName": "junkemail"},
    {"id": ARCHIVE, "displayName": "Archiv", "wellKnownName": "archive"},
    {"id": PROJECTS, "displayName": "Projekte", "parentFolderId": INBOX},
    {"id": STAGING, "displayName": "Headrace Staging"},
]


def mail_item(message_id: str = "m1", **fields: Any) -> dict[str, Any]:
    """Return a mail as Microsoft gives it, unread in the inbox; `headers` by name."""
    headers = fields.pop("headers", {})
    sender = fields.pop("sender", "Bob@Shop.Example")
    item: dict[str, Any] = {
        "id": message_id,
        "changeKey": "ck",
        "parentFolderId": INBOX,
        "conversationId": f"c-{message_id}",
        "internetMessageId": f"<{message_id}@shop.example>",
        "receivedDateTime": "2026-03-02T08:00:00Z",
        "lastModifiedDateTime": "2026-03-02T08:00:00Z",
        "subject": "Your invoice 4711",
        "bodyPreview": "Please pay 12 EUR",
        "from": {"emailAddress": {"name": "Bob", "address": sender}},
        "isRead": False,
        "isDraft": False,
        "hasAttachments": False,
        "importance": "normal",
        "flag": {"flagStatus": "notFlagged"},
        "categories": [],
    }
    if headers:
        item["internetMessageHeaders"] = [
            {"name": name, "value": value} for name, value in headers.items()
        ]
    return item | fields
