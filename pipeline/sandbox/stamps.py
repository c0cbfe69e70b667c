"""Turn an item into the row that is stored: server-managed fields set, filter columns filled.

Every source has one function that takes the item without the fields that only a server sets
(etag, updated, historyId, selfLink…) and returns it as its API will show it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import parse_rfc3339_ms, rfc3339
from pipeline.sandbox.recurrence import span_ms

Item = dict[str, Any]

CALENDAR, GMAIL = "google_calendar", "google_gmail"
CONTACTS, TASKS = "google_contacts", "google_tasks"
SOURCES = (CALENDAR, GMAIL, CONTACTS, TASKS)

#: The streams that list the other streams of a source, and how those are called.
CONTAINERS = {CALENDAR: ("calendars", "events/"), TASKS: ("tasklists", "tasks/")}


@dataclass
class Row:
    """A row of `items`: filter columns and JSON text.  `sort` is the listing key, if it is not
    the id; `tags` are comma-framed words; `parent` a thread or series; `former` JSON of old ids."""

    item_id: str
    rev: int
    updated_ms: int
    body: str
    live: int = 1
    sort: int | str | None = None
    starts_ms: int | None = None
    ends_ms: int | None = None
    tags: str = ","
    parent: str | None = None
    former: str | None = None
    head: str | None = None
    content: str | None = None

    def values(self, stream_n: int) -> tuple[Any, ...]:
        return (
            *(stream_n, self.item_id, self.rev, self.live, self.sort, self.updated_ms),
            *(self.starts_ms, self.ends_ms, self.tags, self.parent, self.former),
            *(self.body, self.head, self.content),
        )


@dataclass(frozen=True)
class Stamp:
    """What the server knows at the time of a write."""

    stream: str
    item_id: str
    rev: int
    at_ms: int

    @property
    def etag(self) -> str:
        return f'"{self.rev}"'


def tags_of(words: Iterable[str]) -> str:
    """Comma-framed, so that `,WORD,` finds a whole word."""
    return "," + "".join(f"{word}," for word in words)


def seeded_ms(item_id: str, now_ms: int) -> int:
    """A plausible last change for a seeded item: ten minutes to 200 days ago, same for an id."""
    span_seconds = 200 * 86400
    return now_ms - 1000 * (600 + zlib.crc32(item_id.encode()) % span_seconds)


def stamped(source: str, item: Item, stamp: Stamp) -> Row:
    """The row of a live item.  Raises ValueError when the item cannot be this source's."""
    return _STAMPS[source, stamp.stream.partition("/")[0]](item, stamp)


def _calendar_entry(item: Item, stamp: Stamp) -> Row:
    body = item | {"kind": "calendar#calendarListEntry", "etag": stamp.etag, "id": stamp.item_id}
    tags = [str(item.get("accessRole", "owner"))] + [
        name for name in ("primary", "hidden") if item.get(name)
    ]
    return Row(stamp.item_id, stamp.rev, stamp.at_ms, dump_json(body), tags=tags_of(tags))


def event_stub(item: Item, stamp: Stamp) -> Item:
    """All that Google shows of a cancelled event, save for the organiser's own copy
    (https://developers.google.com/workspace/calendar/api/v3/reference/events#status)."""
    stub = {
        "kind": "calendar#event",
        "etag": stamp.etag,
        "id": stamp.item_id,
        "status": "cancelled",
    }
    kept = ("recurringEventId", "originalStartTime")
    return stub | {name: item[name] for name in kept if name in item}


def _event(item: Item, stamp: Stamp) -> Row:
    row = Row(stamp.item_id, stamp.rev, stamp.at_ms, "", parent=item.get("recurringEventId"))
    if item.get("status") == "cancelled":
        if row.parent is None or "originalStartTime" not in item:
            raise ValueError("item.status: only an instance of a series can be put as cancelled")
        row.body = dump_json(event_stub(item, stamp))
        row.starts_ms, row.ends_ms = span_ms({"start": item["originalStartTime"]})
        row.tags = tags_of(["cancelled"])
        return row
    updated = rfc3339(stamp.at_ms)
    defaults = {
        "status": "confirmed",
        "created": updated,
        "iCalUID": f"{row.parent or stamp.item_id}@google.com",
        "sequence": 0,
        "eventType": "default",
    }
    fixed = {
        "kind": "calendar#event",
        "etag": stamp.etag,
        "id": stamp.item_id,
        "htmlLink": _event_link(stamp),
        "updated": updated,
    }
    body = defaults | item | fixed
    row.body = dump_json(body)
    row.starts_ms, row.ends_ms = span_ms(item)
    row.tags = tags_of([str(body["eventType"])])
    return row


def _event_link(stamp: Stamp) -> str:
    calendar_id = stamp.stream.partition("/")[2]
    packed = base64.urlsafe_b64encode(f"{stamp.item_id} {calendar_id}".encode()).decode()
    return f"https://www.google.com/calendar/event?eid={packed.rstrip('=')}"


def _message(item: Item, stamp: Stamp) -> Row:
    body = {name: value for name, value in item.items() if name != "payload"}
    payload = item.get("payload") or {}
    labels = list(body.pop("labelIds", None) or [])
    body |= {"id": stamp.item_id, "historyId": str(stamp.rev)}
    if labels:
        body["labelIds"] = labels  # Gmail leaves the field out when there are none
    content = dump_json(payload)
    body.setdefault("sizeEstimate", len(content))
    head = {name: payload[name] for name in ("mimeType", "headers") if name in payload}
    return Row(
        *(stamp.item_id, stamp.rev, stamp.at_ms, dump_json(body)),
        sort=int(item["internalDate"]),
        tags=tags_of(labels),
        parent=str(item["threadId"]),
        head=dump_json(head),
        content=content,
    )


def person_etag(rev: int) -> str:
    return "%EgU" + base64.b64encode(f"p{rev:012d}".encode()).decode()


def _person(item: Item, stamp: Stamp) -> Row:
    etag = person_etag(stamp.rev)
    given = item.get("metadata") or {}
    contact_id = stamp.item_id.rpartition("/")[2]
    sources = given.get("sources") or [{"type": "CONTACT", "id": contact_id}]
    at = {"etag": f"#{etag}", "updateTime": rfc3339(stamp.at_ms)}
    metadata = given | {"objectType": "PERSON", "sources": [source | at for source in sources]}
    metadata.pop("previousResourceNames", None)
    body = item | {"resourceName": stamp.item_id, "etag": etag, "metadata": metadata}
    tags = [name for name in body if name not in {"resourceName", "etag"}]
    if '"PROFILE"' in (text := dump_json(body)):
        tags.append("#PROFILE")
    return Row(stamp.item_id, stamp.rev, stamp.at_ms, text, tags=tags_of(tags))


def person_tombstone(stamp: Stamp) -> Item:
    etag = person_etag(stamp.rev)
    contact_id = stamp.item_id.rpartition("/")[2]
    source = {"type": "CONTACT", "id": contact_id, "etag": f"#{etag}"}
    metadata = {"sources": [source], "deleted": True, "objectType": "PERSON"}
    return {"resourceName": stamp.item_id, "etag": etag, "metadata": metadata}


def _task_list(item: Item, stamp: Stamp) -> Row:
    body = item | {
        "kind": "tasks#taskList",
        "id": stamp.item_id,
        "etag": stamp.etag,
        "updated": rfc3339(stamp.at_ms),
        "selfLink": f"https://www.googleapis.com/tasks/v1/users/@me/lists/{stamp.item_id}",
    }
    return Row(stamp.item_id, stamp.rev, stamp.at_ms, dump_json(body))


def _task(item: Item, stamp: Stamp) -> Row:
    list_id = stamp.stream.partition("/")[2]
    defaults = {"status": "needsAction", "position": "0" * 20}
    body = (
        defaults
        | item
        | {
            "kind": "tasks#task",
            "id": stamp.item_id,
            "etag": stamp.etag,
            "updated": rfc3339(stamp.at_ms),
            "selfLink": f"https://www.googleapis.com/tasks/v1/lists/{list_id}/tasks/{stamp.item_id}",
        }
    )
    if body["status"] == "completed":
        body.setdefault("completed", body["updated"])
    flags = [name for name in ("hidden", "deleted", "assignmentInfo") if body.get(name)]
    return Row(
        *(stamp.item_id, stamp.rev, stamp.at_ms, dump_json(body)),
        sort=str(body["position"]),
        tags=tags_of([body["status"], *flags]),
        parent=body.get("parent"),
        starts_ms=_optional_ms(body.get("due")),
        ends_ms=_optional_ms(body.get("completed")),
    )


def _optional_ms(text: str | None) -> int | None:
    return None if text is None else parse_rfc3339_ms(text)


_STAMPS: dict[tuple[str, str], Callable[[Item, Stamp], Row]] = {
    (CALENDAR, "calendars"): _calendar_entry,
    (CALENDAR, "events"): _event,
    (GMAIL, "messages"): _message,
    (CONTACTS, "connections"): _person,
    (TASKS, "tasklists"): _task_list,
    (TASKS, "tasks"): _task,
}
