"""The quality gate: the least that an item must be before it may land."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, Literal

import bson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from pipeline.sources.base import Item, Page, Rejected

#: MongoDB takes 16 MiB; what surrounds an item in its record needs a little.
MAX_ITEM_BYTES = 15 * 2**20


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Moment(_Shape):
    dateTime: dt.datetime | None = None
    date: dt.date | None = None

    @model_validator(mode="after")
    def _is_set(self) -> _Moment:
        if self.dateTime is None and self.date is None:
            raise ValueError("expected dateTime or date")
        return self


class _Attendee(_Shape):
    email: str | None = None
    responseStatus: str | None = None


class _Header(_Shape):
    name: str
    value: str = ""


class _Payload(_Shape):
    headers: list[_Header] = []


class CalendarShape(_Shape):
    """https://developers.google.com/workspace/calendar/api/v3/reference/calendarList"""

    id: str = Field(min_length=1)


class EventShape(_Shape):
    """https://developers.google.com/workspace/calendar/api/v3/reference/events"""

    id: str = Field(min_length=1)
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    start: _Moment | None = None
    end: _Moment | None = None
    originalStartTime: _Moment | None = None
    recurringEventId: str | None = None
    recurrence: list[str] = []
    attendees: list[_Attendee] = []

    @model_validator(mode="after")
    def _has_times(self) -> EventShape:
        if self.status != "cancelled" and (self.start is None or self.end is None):
            raise ValueError("start and end are required unless the event is cancelled")
        return self


class MessageShape(_Shape):
    """https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages"""

    id: str = Field(min_length=1)
    threadId: str = Field(min_length=1)
    internalDate: str = Field(pattern=r"^-?\d{1,16}$")
    labelIds: list[str] = []
    payload: _Payload = _Payload()


class MessageNameShape(_Shape):
    """A message as lists and history name it."""

    id: str = Field(min_length=1)


class PersonShape(_Shape):
    """https://developers.google.com/people/api/rest/v1/people#Person"""

    resourceName: str = Field(pattern=r"^people/.")
    metadata: dict[str, Any] = {}
    names: list[dict[str, Any]] = []
    emailAddresses: list[dict[str, Any]] = []


class TaskListShape(_Shape):
    """https://developers.google.com/workspace/tasks/reference/rest/v1/tasklists"""

    id: str = Field(min_length=1)
    title: str = ""


class TaskShape(_Shape):
    """https://developers.google.com/workspace/tasks/reference/rest/v1/tasks"""

    id: str = Field(min_length=1)
    updated: dt.datetime
    status: Literal["needsAction", "completed"] = "needsAction"
    due: dt.datetime | None = None
    completed: dt.datetime | None = None
    deleted: bool = False


class FolderShape(_Shape):
    """https://learn.microsoft.com/graph/api/resources/mailfolder; of a deleted one the id alone"""

    id: str = Field(min_length=1)
    displayName: str | None = None
    parentFolderId: str | None = None


class MailNameShape(_Shape):
    """A message as a delta names it, whole or not."""

    id: str = Field(min_length=1)


class MailShape(_Shape):
    """https://learn.microsoft.com/graph/api/resources/message"""

    id: str = Field(min_length=1)
    parentFolderId: str = Field(min_length=1)
    receivedDateTime: dt.datetime
    lastModifiedDateTime: dt.datetime | None = None
    conversationId: str | None = None
    isRead: bool | None = None
    categories: list[str] = []
    toRecipients: list[dict[str, Any]] = []
    ccRecipients: list[dict[str, Any]] = []
    bccRecipients: list[dict[str, Any]] = []
    internetMessageHeaders: list[_Header] | None = None

    @model_validator(mode="after")
    def _has_a_zone(self) -> MailShape:
        if self.receivedDateTime.tzinfo is None:
            raise ValueError("receivedDateTime has no zone")
        return self


class Gate:
    """Checks items of one shape.  `label` names them in reasons; `id_field` is their id."""

    def __init__(self, label: str, shape: type[_Shape], id_field: str = "id") -> None:
        self._label = label
        self._adapter = TypeAdapter(shape)
        self._id_field = id_field

    def check(self, item: Any) -> Rejected | None:
        """Return why `item` may not land, or None.  The reason holds no data of the item."""
        try:
            self._adapter.validate_python(item)
            size_bytes = len(bson.encode(item))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            path = ".".join(map(str, first["loc"])) or "item"
            return self._reject(item, f"{path} - {first['msg']}")
        except (bson.errors.BSONError, OverflowError, UnicodeEncodeError, RecursionError) as error:
            return self._reject(item, f"item - cannot be stored: {type(error).__name__}")
        if size_bytes > MAX_ITEM_BYTES:
            return self._reject(item, f"item - {size_bytes} bytes, at most {MAX_ITEM_BYTES}")
        return None

    def _reject(self, item: Any, reason: str) -> Rejected:
        item_id = item.get(self._id_field) if isinstance(item, dict) else None
        return Rejected(
            item_id=item_id if isinstance(item_id, str) and item_id else None,
            reason=f"{self._label}: {reason}",
            raw=json.dumps(item, default=repr),
        )


CALENDAR = Gate("calendar", CalendarShape)
EVENT = Gate("event", EventShape)
MESSAGE = Gate("message", MessageShape)
MESSAGE_NAME = Gate("message", MessageNameShape)
PERSON = Gate("person", PersonShape, "resourceName")
TASK_LIST = Gate("task list", TaskListShape)
TASK = Gate("task", TaskShape)
FOLDER = Gate("mail folder", FolderShape)
MAIL = Gate("mail", MailShape)
MAIL_NAME = Gate("mail", MailNameShape)

#: Sorts one checked item into the page: an upsert or a deletion.
Sort = Callable[[Page, Item], None]


def fill(page: Page, items: list[Any], gate: Gate, sort: Sort) -> Page:
    """Put every item into `page`: rejected by `gate`, or wherever `sort` says."""
    for item in items:
        rejected = gate.check(item)
        if rejected:
            page.rejected.append(rejected)
        else:
            sort(page, item)
    return page
