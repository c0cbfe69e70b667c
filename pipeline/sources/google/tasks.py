"""Google Tasks: the task lists, and one stream of tasks per list.

There is no sync token: lists are compared with the ones known before, tasks
are asked for by the time of their last change.
https://developers.google.com/workspace/tasks/reference/rest/v1/tasks/list
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pipeline.config import settings
from pipeline.sources.base import Cursor, Item, Page, ProviderClient, Resume, Source, fingerprint_of
from pipeline.sources.gate import TASK, TASK_LIST, fill
from pipeline.sources.google.paging import answers

TASKS = "tasks/"
_LISTS_PARAMS = {"maxResults": 1000}
#: Tasks completed in Google's own apps are hidden, and come only with showHidden.
_TASKS_PARAMS = {
    "maxResults": 100,
    "showCompleted": True,
    "showHidden": True,
    "showDeleted": True,
    "showAssigned": True,
}
_LONG_AGO = "1970-01-01T00:00:00.000Z"


class TasksSource(Source):
    """All task lists of a user and their tasks."""

    name = "google_tasks"
    provider = "google"
    root_stream = "tasklists"
    #: Google does not say how long a deleted task is reported; a daily listing finds them all.
    relist_after = timedelta(days=1)
    parent_field = None

    def child_stream(self, item_id: str) -> str:
        """Return the stream of a list's tasks."""
        return TASKS + item_id

    def fingerprint(self, stream: str) -> str:
        """Return a hash of the parameters that decide what is listed."""
        return fingerprint_of(_LISTS_PARAMS if stream == self.root_stream else _TASKS_PARAMS)

    def first_cursor(self, now: datetime) -> Cursor:
        """Return nothing to remember: tasks have no window."""
        return {}

    def pages(self, client: ProviderClient, stream: str, cursor: Cursor) -> Iterator[Page]:
        """Yield what changed: lists by comparison, tasks by their time of change."""
        if stream == self.root_stream:
            yield from self._compare_lists(client, cursor)
            return
        overlap = timedelta(seconds=settings().google_tasks_overlap_seconds)
        since = _moment(cursor["updated"]) - overlap
        params = {
            **_TASKS_PARAMS,
            "tasklist": stream.removeprefix(TASKS),
            "updatedMin": since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        digests: list[str] = []
        for page in self._read_tasks(client, stream, params, cursor["updated"], None):
            digests.append(_digest(page))
            if page.cursor is not None:
                page.cursor["overlap"] = fingerprint_of({"pages": digests})
                # The overlap repeats itself until something changes; that is not news.
                if page.cursor == cursor and len(digests) == 1:
                    yield Page(cursor=cursor)
                    return
            yield page

    def listing(
        self, client: ProviderClient, stream: str, start: Cursor, resume: Resume | None
    ) -> Iterator[Page]:
        """Yield all lists, or all tasks of a list."""
        if stream == self.root_stream:
            yield from self._compare_lists(client, start)
            return
        params = {**_TASKS_PARAMS, "tasklist": stream.removeprefix(TASKS)}
        resume = resume or {}
        newest = resume.get("updated", _LONG_AGO)
        yield from self._read_tasks(client, stream, params, newest, resume.get("page_token"))

    def as_landed(self, stream: str, item: Item, cursor: Cursor) -> Item | None:
        """Return `item`, or None for a deleted task."""
        return None if item.get("deleted") else item

    def _compare_lists(self, client: ProviderClient, cursor: Cursor) -> Iterator[Page]:
        """Read all lists, at most 2,000, and say what differs from those of `cursor`."""
        entries: list[Any] = []
        for answer in answers(client, "tasks.tasklists.list", _LISTS_PARAMS):
            entries += answer.get("items", [])

        def sort(page: Page, item: Item) -> None:
            page.upserts[item["id"]] = item

        page = fill(Page(), entries, TASK_LIST, sort)
        present = {str(e["id"]) for e in entries if isinstance(e, dict) and e.get("id")}
        digest = fingerprint_of(page.upserts)
        if not page.rejected and digest == cursor.get("digest"):
            page.upserts.clear()
        page.deletions = set(cursor.get("ids", ())) - present
        page.cursor = {"ids": sorted(present), "digest": digest}
        yield page

    def _read_tasks(
        self,
        client: ProviderClient,
        stream: str,
        params: dict[str, Any],
        newest: str,
        page_token: str | None,
    ) -> Iterator[Page]:
        def sort(page: Page, item: Item) -> None:
            nonlocal newest
            # The server's clock decides; ours may differ.
            newest = max(newest, item["updated"], key=_moment)
            if self.as_landed(stream, item, {}) is None:
                page.delete(item["id"])
            else:
                page.upserts[item["id"]] = item

        for answer in answers(client, "tasks.tasks.list", params, page_token):
            page = fill(Page(), answer.get("items", []), TASK, sort)
            if "nextPageToken" in answer:
                page.resume = {"page_token": answer["nextPageToken"], "updated": newest}
            else:
                page.cursor = {"updated": newest}
            yield page


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _digest(page: Page) -> str:
    return fingerprint_of({"upserts": page.upserts, "deletions": sorted(page.deletions)})
