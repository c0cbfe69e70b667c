"""Microsoft 365 mail: the folders, and one stream of messages per folder.

A message keeps its id wherever it is moved, so it is one record; the stream of that
is the folder that it is in.  https://learn.microsoft.com/graph/delta-query-messages
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from pipeline.config import settings
from pipeline.errors import Gone
from pipeline.sources.base import (
    Cursor,
    Item,
    Page,
    PrefetchingClient,
    ProviderClient,
    Resume,
    Source,
    fingerprint_of,
)
from pipeline.sources.gate import MAIL, MAIL_NAME, fill
from pipeline.sources.microsoft import folders
from pipeline.sources.microsoft.paging import answers, end_page

MESSAGES = "messages/"
#: What all messages are unique in, whatever their folder.
_IDENTITY = "messages"
_HEADERS = "internetMessageHeaders"
#: Graph leaves these out where there are none; the others come with every message that is whole.
_MAY_LACK = ("from", "sender", "internetMessageId", "sentDateTime", _HEADERS)
_ALWAYS = (
    *("id", "changeKey", "parentFolderId", "conversationId", "receivedDateTime"),
    *("lastModifiedDateTime", "subject", "bodyPreview", "toRecipients", "ccRecipients"),
    *("bccRecipients", "replyTo", "isRead", "isDraft", "hasAttachments", "importance"),
    *("flag", "categories"),
)
_FIELDS = (*_ALWAYS, *_MAY_LACK)
_SELECT = ",".join(_FIELDS)
_KEPT_HEADERS = frozenset(
    ("list-unsubscribe", "list-id", "x-auto-response-suppress", "auto-submitted", "precedence",
     "in-reply-to", "references")
)  # fmt: skip


class MicrosoftMailSource(Source):
    """All folders of a mailbox and their messages since the window's start."""

    name = "microsoft_mail"
    provider = "microsoft"
    root_stream = folders.STREAM
    relist_after = None
    parent_field = None
    projections = ("graph", "search", "mailbox")
    polled_on_target = True
    departed_at_once = 100

    def child_stream(self, item_id: str) -> str:
        """Return the stream of a folder's messages."""
        return MESSAGES + item_id

    def fingerprint(self, stream: str) -> str:
        """Return a hash of what the delta link was asked for, and of the window."""
        if stream == self.root_stream:
            return folders.fingerprint()
        return fingerprint_of({"select": _SELECT, "days": settings().microsoft_mail_window_days})

    def first_cursor(self, now: datetime) -> Cursor:
        """Return the window: mail received before `since` is left out, for good."""
        since = now - timedelta(days=settings().microsoft_mail_window_days)
        return {"since": since.replace(microsecond=0).isoformat()}

    def identity(self, stream: str) -> str:
        """Return the same for all folders: a message that moves is still the same."""
        return _IDENTITY if stream.startswith(MESSAGES) else stream

    def home(self, stream: str, item: Item) -> str:
        """Return the stream of the folder that a message says that it is in."""
        return stream if stream == self.root_stream else MESSAGES + item["parentFolderId"]

    def pages(self, client: ProviderClient, stream: str, cursor: Cursor) -> Iterator[Page]:
        """Yield the changes since the delta link."""
        first = client.call("GET", url=cursor["link"])
        if stream == self.root_stream:
            yield from folders.read(client, first, cursor)
        else:
            yield from self._read(client, stream, first, cursor)

    def listing(
        self, client: ProviderClient, stream: str, start: Cursor, resume: Resume | None
    ) -> Iterator[Page]:
        """Yield all folders, or all messages of a folder, newest first.

        There is no $filter, which would end a listing after 5,000 messages.
        """
        if stream == self.root_stream:
            yield from folders.listing(client, start, resume)
            return
        if resume is not None:
            first = client.call("GET", url=resume["link"])
        else:
            first = client.call(
                "GET /me/mailFolders/{id}/messages/delta",
                id=stream.removeprefix(MESSAGES),
                select=_SELECT,
                orderby="receivedDateTime desc",
            )
        yield from self._read(client, stream, first, start)

    def as_landed(self, stream: str, item: Item, cursor: Cursor) -> Item | None:
        """Return the fields that are kept, or None if it was received before the window."""
        if stream == self.root_stream:
            return folders.as_landed(item, cursor)
        since = datetime.fromisoformat(cursor["since"])
        if datetime.fromisoformat(item["receivedDateTime"]) < since:
            return None
        return _kept(item)

    def departed(
        self, client: ProviderClient, stream: str, ids: Collection[str], cursor: Cursor
    ) -> Page:
        """Return where these messages are now: a folder says the same of moved and deleted ones.

        The folder that a message was moved to may say nothing at all:
        https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/72
        """
        if stream == self.root_stream:
            return Page(deletions=set(ids))
        page = Page()
        self._read_whole(client, page, stream, ids, cursor)
        return page

    def prefetch(self, client: ProviderClient, cursors: Sequence[Cursor]) -> None:
        """Have the delta links followed in batches."""
        if isinstance(client, PrefetchingClient):
            client.prefetch([cursor["link"] for cursor in cursors])

    def _read(
        self, client: ProviderClient, stream: str, first: Item, cursor: Cursor
    ) -> Iterator[Page]:
        for answer in answers(client, first):
            page = Page()
            whole, partial = _sorted(page, answer.get("value", []))
            self._keep(page, stream, whole, cursor)
            self._read_whole(client, page, stream, partial, cursor)
            yield end_page(page, answer, cursor)

    def _read_whole(
        self,
        client: ProviderClient,
        page: Page,
        stream: str,
        ids: Collection[str],
        cursor: Cursor,
    ) -> None:
        """Put the messages of these ids into `page`, as they are now, wherever they are."""
        wanted, found = sorted(ids), []
        gets = [{"id": message_id, "select": _SELECT} for message_id in wanted]
        for message_id, answer in zip(
            wanted, client.batch("GET /me/messages/{id}", gets) if gets else [], strict=True
        ):
            if isinstance(answer, Gone):
                page.delete(message_id)
            elif isinstance(answer, Exception):
                raise answer
            else:
                found.append(answer)
        self._keep(page, stream, found, cursor)

    def _keep(self, page: Page, stream: str, items: Iterable[Item], cursor: Cursor) -> None:
        def sort(page: Page, item: Item) -> None:
            at_home = self.home(stream, item) == stream
            # Of another folder's message, that folder's window decides.
            kept = self.as_landed(stream, item, cursor) if at_home else _kept(item)
            if kept is None:
                page.delete(item["id"])
            else:
                page.deletions.discard(item["id"])
                page.upserts[item["id"]] = kept

        fill(page, list(items), MAIL, sort)


def _sorted(page: Page, entries: list[Item]) -> tuple[list[Item], set[str]]:
    """Return the messages that are whole, and the ids of those that only say what changed.

    The order counts: one that left and came back is there.
    """
    whole: dict[str, Item] = {}
    partial: set[str] = set()

    def sort(page: Page, entry: Item) -> None:
        message_id = entry["id"]
        whole.pop(message_id, None)
        page.departed.discard(message_id)
        if "@removed" in entry:
            partial.discard(message_id)
            page.departed.add(message_id)
        elif all(name in entry for name in _ALWAYS):
            partial.discard(message_id)
            whole[message_id] = entry
        else:
            partial.add(message_id)

    fill(page, entries, MAIL_NAME, sort)
    return list(whole.values()), partial


def _kept(item: Item) -> Item:
    """Return a message without what is not kept, and without what is not there."""
    kept = {name: item[name] for name in _FIELDS if item.get(name) is not None}
    headers = [
        {"name": header["name"], "value": header.get("value", "")}
        for header in kept.pop(_HEADERS, [])
        if header["name"].lower() in _KEPT_HEADERS
    ]
    return kept | ({_HEADERS: headers} if headers else {})
