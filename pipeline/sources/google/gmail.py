"""Gmail: one stream of messages, headers and snippet only.

https://developers.google.com/workspace/gmail/api/guides/sync
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from pipeline.config import settings
from pipeline.errors import Gone
from pipeline.sources.base import Cursor, Item, Page, ProviderClient, Resume, Source, fingerprint_of
from pipeline.sources.gate import MESSAGE, MESSAGE_NAME, fill
from pipeline.sources.google.paging import answers

#: What people and threads are found by; bodies are not read.
HEADERS = (
    "From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Date",
    "Message-ID", "In-Reply-To", "References", "List-Unsubscribe",
    "Auto-Submitted", "X-Auto-Response-Suppress", "Precedence",
)  # fmt: skip
_KEPT_HEADERS = frozenset(name.lower() for name in HEADERS)
_GET = {"userId": "me", "format": "metadata", "metadataHeaders": list(HEADERS)}
_HIDDEN_LABELS = frozenset({"TRASH", "SPAM"})
#: Kinds of history that name a message whose present state must be read again.
_TOUCHED = ("messagesAdded", "labelsAdded", "labelsRemoved")


class GmailSource(Source):
    """All mail of a user since the window's start, newest first."""

    name = "google_gmail"
    provider = "google"
    root_stream = "messages"
    relist_after = None
    parent_field = None

    def child_stream(self, item_id: str) -> None:
        """Return None: a message opens no stream."""

    def fingerprint(self, stream: str) -> str:
        """Return a hash of what decides which messages are kept, and how."""
        return fingerprint_of(
            _GET
            | {
                "days": settings().google_gmail_window_days,
                "spam_trash": settings().google_gmail_include_spam_trash,
            }
        )

    def first_cursor(self, now: datetime) -> Cursor:
        """Return the window: mail from before `since_ms` is left out, for good."""
        since = now - timedelta(days=settings().google_gmail_window_days)
        return {"since_ms": int(since.timestamp()) * 1000}

    def pages(self, client: ProviderClient, stream: str, cursor: Cursor) -> Iterator[Page]:
        """Yield the messages that history names, each as it is now.

        A page is one batch of reads: the ledger grants or refuses it as a whole,
        so no read is paid for and thrown away.

        History is in order, so every page moves the cursor: a mailbox with
        more changes than its quota allows in one run still gets on.
        """
        params = {
            "userId": "me",
            "startHistoryId": cursor["history_id"],
            "maxResults": settings().google_gmail_batch_size,
            "historyTypes": ["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"],
        }
        for answer in answers(client, "gmail.users.history.list", params):
            history = answer.get("history", [])
            page = Page()
            deleted = _names(page, _entries(history, ("messagesDeleted",)))
            touched = _names(page, _entries(history, _TOUCHED))
            self._read(client, page, touched - deleted, cursor)
            for message_id in deleted:
                page.delete(message_id)
            if "nextPageToken" not in answer:
                page.cursor = {**cursor, "history_id": answer["historyId"]}
            elif history:
                page.cursor = {**cursor, "history_id": history[-1]["id"]}
            yield page

    def listing(
        self,
        client: ProviderClient,
        stream: str,
        start: Cursor,
        resume: Resume | None,
    ) -> Iterator[Page]:
        """Yield all messages of the window."""
        # Taken before the first page, so that what changes meanwhile is read again afterwards.
        history_id = (resume or {}).get("history_id") or _history_id(client)
        params = {
            "userId": "me",
            "maxResults": settings().google_gmail_batch_size,
            "q": f"after:{start['since_ms'] // 1000 - 1}",
            "includeSpamTrash": settings().google_gmail_include_spam_trash,
        }
        page_token = (resume or {}).get("page_token")
        for answer in answers(client, "gmail.users.messages.list", params, page_token):
            page = Page(total=answer.get("resultSizeEstimate"))
            self._read(client, page, _names(page, answer.get("messages", [])), start)
            if "nextPageToken" in answer:
                page.resume = {"page_token": answer["nextPageToken"], "history_id": history_id}
            else:
                page.cursor = {**start, "history_id": history_id}
            yield page

    def as_landed(self, stream: str, item: Item, cursor: Cursor) -> Item | None:
        """Return the message's metadata, or None if it is hidden or older than the window."""
        if int(item["internalDate"]) < cursor["since_ms"]:
            return None
        hidden = _HIDDEN_LABELS.intersection(item.get("labelIds", []))
        if hidden and not settings().google_gmail_include_spam_trash:
            return None
        payload = item.get("payload", {})
        headers = [h for h in payload.get("headers", []) if h["name"].lower() in _KEPT_HEADERS]
        return {**item, "payload": {"mimeType": payload.get("mimeType"), "headers": headers}}

    def _read(self, client: ProviderClient, page: Page, ids: Iterable[str], cursor: Cursor) -> None:
        """Put the messages of these ids into `page`, as they are now."""
        wanted = sorted(ids)
        found: list[Item] = []
        gets = [{**_GET, "id": message_id} for message_id in wanted]
        for message_id, answer in zip(
            wanted, client.batch("gmail.users.messages.get", gets) if gets else [], strict=True
        ):
            if isinstance(answer, Gone):  # deleted between the list and the get
                page.delete(message_id)
            elif isinstance(answer, Exception):
                raise answer
            else:
                found.append(answer)

        def sort(page: Page, item: Item) -> None:
            landed = self.as_landed(self.root_stream, item, cursor)
            if landed is None:
                page.delete(item["id"])
            else:
                page.upserts[item["id"]] = landed

        fill(page, found, MESSAGE, sort)


def _history_id(client: ProviderClient) -> str:
    profile = client.call("gmail.users.getProfile", userId="me")
    return str(profile["historyId"])


def _entries(history: list[dict[str, Any]], kinds: Iterable[str]) -> list[Any]:
    """Return the messages that history names; its `messages` only repeats them."""
    return [e.get("message") for h in history for kind in kinds for e in h.get(kind, [])]


def _names(page: Page, entries: list[Any]) -> set[str]:
    """Return the ids of `entries`; those without one are set aside."""
    found: set[str] = set()
    fill(page, entries, MESSAGE_NAME, lambda _page, entry: found.add(entry["id"]))
    return found
