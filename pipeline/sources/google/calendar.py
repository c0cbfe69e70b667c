"""Google Calendar: the calendar list, and one stream of events per calendar.

Events are read as the provider keeps them, masters and exceptions; expanding a
series is the reader's business, since an endless one has no end.
https://developers.google.com/workspace/calendar/api/guides/sync
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pipeline.config import settings
from pipeline.errors import Permanent
from pipeline.sources.base import Cursor, Item, Page, ProviderClient, Resume, Source, fingerprint_of
from pipeline.sources.gate import CALENDAR, EVENT, fill
from pipeline.sources.google.paging import answers
from pipeline.sources.google.window import ends_after

EVENTS = "events/"
#: Hidden calendars too: a sync token cannot be used with showHidden=False.
_CALENDARS_PARAMS = {"maxResults": 250, "showHidden": True}
#: At most 2,500; smaller pages keep a worker's memory flat with 50 attendees per event.
_EVENTS_PARAMS = {"maxResults": 1000}


class CalendarSource(Source):
    """All calendars of a user and their events since the window's start."""

    name = "google_calendar"
    provider = "google"
    root_stream = "calendars"
    relist_after = None
    parent_field = "recurringEventId"

    def child_stream(self, item_id: str) -> str:
        """Return the stream of a calendar's events."""
        return EVENTS + item_id

    def fingerprint(self, stream: str) -> str:
        """Return a hash of what the sync token is bound to, and of the window."""
        if stream == self.root_stream:
            return fingerprint_of(_CALENDARS_PARAMS)
        return fingerprint_of(_EVENTS_PARAMS | {"days": settings().google_calendar_window_days})

    def first_cursor(self, now: datetime) -> Cursor:
        """Return the window: events that ended before `since` are left out, for good."""
        since = now - timedelta(days=settings().google_calendar_window_days)
        return {"since": since.replace(microsecond=0).isoformat()}

    def pages(self, client: ProviderClient, stream: str, cursor: Cursor) -> Iterator[Page]:
        """Yield the changes since the sync token."""
        # Everything but the token must be as in the listing, except timeMin, which is refused.
        params = {**self._params(stream), "syncToken": cursor["token"]}
        yield from self._read(client, stream, params, cursor, None)

    def listing(
        self, client: ProviderClient, stream: str, start: Cursor, resume: Resume | None
    ) -> Iterator[Page]:
        """Yield all calendars, or all events since the window's start."""
        params = self._params(stream)
        if stream != self.root_stream:
            params["timeMin"] = start["since"]
        yield from self._read(client, stream, params, start, resume)

    def as_landed(self, stream: str, item: Item, cursor: Cursor) -> Item | None:
        """Return `item`, or None if it is deleted or ended before the window."""
        if stream == self.root_stream:
            return None if item.get("deleted") else item
        deleted = item.get("status") == "cancelled" and "recurringEventId" not in item
        kept = not deleted and ends_after(item, datetime.fromisoformat(cursor["since"]))
        return item if kept else None

    def _params(self, stream: str) -> dict[str, Any]:
        if stream == self.root_stream:
            return dict(_CALENDARS_PARAMS)
        return {**_EVENTS_PARAMS, "calendarId": stream.removeprefix(EVENTS)}

    def _read(
        self,
        client: ProviderClient,
        stream: str,
        params: dict[str, Any],
        cursor: Cursor,
        resume: Resume | None,
    ) -> Iterator[Page]:
        is_root = stream == self.root_stream
        method = "calendar.calendarList.list" if is_root else "calendar.events.list"
        gate = CALENDAR if is_root else EVENT

        def sort(page: Page, item: Item) -> None:
            landed = self.as_landed(stream, item, cursor)
            if landed is None:
                page.delete(item["id"])
            else:
                page.upserts[item["id"]] = landed

        for answer in answers(client, method, params, (resume or {}).get("page_token")):
            page = fill(Page(), answer.get("items", []), gate, sort)
            if "nextPageToken" in answer:
                page.resume = {"page_token": answer["nextPageToken"]}
            elif "nextSyncToken" in answer:
                page.cursor = {**cursor, "token": answer["nextSyncToken"]}
            else:
                raise Permanent(f"{method}: the last page carries no sync token")
            yield page
