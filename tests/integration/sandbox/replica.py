"""A plain reader: keeps a copy of one user's data through the real client library.

It knows nothing of the sandbox, only what Google documents about each API's cursor.
"""

from __future__ import annotations

from typing import Any

from google_client import Google, pages, reason
from googleapiclient.errors import HttpError

Item = dict[str, Any]
Copy = dict[tuple[str, str], Item]

PERSON_FIELDS = (
    "addresses,biographies,birthdays,emailAddresses,events,externalIds,genders,imClients,"
    "memberships,metadata,names,nicknames,occupations,organizations,phoneNumbers,photos,"
    "relations,urls,userDefined"
)
_SHOW_ALL = {"showHidden": True, "showDeleted": True, "showAssigned": True}


class Replica:
    """`copy` is by (stream, item id); `fulls` counts full listings by source."""

    def __init__(self, google: Google) -> None:
        self.google = google
        self._cursors: dict[str, str] = {}
        self.copy: Copy = {}
        self.fulls: dict[str, int] = {}

    def sync(self) -> None:
        self._calendars()
        self._messages()
        self._connections()
        self._task_lists()

    # Calendar

    def _calendars(self) -> None:
        self._tokened("calendars", self._calendar_page, self._keep_calendars)
        calendars = {key[1] for key in self.copy if key[0] == "calendars"}
        for stream in {key[0] for key in self.copy if key[0].startswith("events/")}:
            if stream.removeprefix("events/") not in calendars:
                self._drop(stream)
        for calendar_id in sorted(calendars):
            self._events(calendar_id)

    def _calendar_page(self, token: str | None) -> list[Item]:
        params = {"showHidden": True} | ({} if token is None else {"syncToken": token})
        return pages(self.google.calendar.calendarList().list, **params)

    def _keep_calendars(self, found: list[Item]) -> None:
        for item in _items(found):
            if item.get("deleted"):
                self.copy.pop(("calendars", item["id"]), None)
            else:
                self.copy["calendars", item["id"]] = item

    def _events(self, calendar_id: str) -> None:
        stream = f"events/{calendar_id}"

        def ask(token: str | None) -> list[Item]:
            params = {"calendarId": calendar_id, "maxResults": 7}
            params |= {} if token is None else {"syncToken": token}
            return pages(self.google.calendar.events().list, **params)

        def keep(found: list[Item]) -> None:
            for item in _items(found):
                self.copy[stream, item["id"]] = item
            self._drop_dead_events(stream)

        self._tokened(stream, ask, keep)

    def _drop_dead_events(self, stream: str) -> None:
        """Cancelled events are deleted, unless they are instances of a series that lives."""
        for key in [key for key in self.copy if key[0] == stream]:
            item = self.copy[key]
            series = self.copy.get((stream, item.get("recurringEventId", "")))
            alive = series is not None and series["status"] != "cancelled"
            if item["status"] == "cancelled" and not alive:
                del self.copy[key]

    # Gmail

    def _messages(self) -> None:
        if "messages" in self._cursors:
            try:
                self._history()
                return
            except HttpError as error:
                assert error.status_code == 404
        self._drop("messages")
        self._counted("messages")
        profile = self.google.gmail.getProfile(userId="me").execute()
        found = pages(self.google.gmail.messages().list, userId="me", includeSpamTrash=True)
        self._get([item["id"] for page in found for item in page.get("messages", [])])
        self._cursors["messages"] = profile["historyId"]

    def _history(self) -> None:
        params = {"userId": "me", "startHistoryId": self._cursors["messages"], "maxResults": 9}
        found = pages(self.google.gmail.history().list, **params)
        records = [record for page in found for record in page.get("history", [])]
        self._get(sorted({item["id"] for record in records for item in record["messages"]}))
        self._cursors["messages"] = found[-1]["historyId"]

    def _get(self, ids: list[str]) -> None:
        for start in range(0, len(ids), 25):
            batch = self.google.batch()
            for message_id in ids[start : start + 25]:
                request = self.google.gmail.messages().get(
                    userId="me", id=message_id, format="metadata"
                )
                batch.add(request, message_id)
            batch.execute()
            for message_id, error in batch.errors.items():
                assert error.status_code == 404
                self.copy.pop(("messages", message_id), None)
            for message_id, item in batch.answers.items():
                self.copy["messages", message_id] = item

    # Contacts

    def _connections(self) -> None:
        def ask(token: str | None) -> list[Item]:
            params = {"resourceName": "people/me", "personFields": PERSON_FIELDS}
            params |= {"requestSyncToken": True, "pageSize": 11}
            params |= {} if token is None else {"syncToken": token}
            return pages(self.google.people.connections().list, **params)

        self._tokened("connections", ask, self._keep_people)

    def _keep_people(self, found: list[Item]) -> None:
        for item in [person for page in found for person in page.get("connections", [])]:
            former = item["metadata"].pop("previousResourceNames", [])
            for name in [*former, item["resourceName"]]:
                self.copy.pop(("connections", name), None)
            if not item["metadata"].get("deleted"):
                self.copy["connections", item["resourceName"]] = item

    # Tasks

    def _task_lists(self) -> None:
        before = {key[1] for key in self.copy if key[0] == "tasklists"}
        lists = {item["id"]: item for item in _items(pages(self.google.tasks.tasklists().list))}
        for gone in before - set(lists):
            del self.copy["tasklists", gone]
            self._drop(f"tasks/{gone}")
        for list_id, item in lists.items():
            self.copy["tasklists", list_id] = item
            self._tasks(list_id)

    def _tasks(self, list_id: str) -> None:
        stream = f"tasks/{list_id}"
        params = {"tasklist": list_id, "maxResults": 13} | _SHOW_ALL
        if stream in self._cursors:
            params["updatedMin"] = self._cursors[stream]
        for item in _items(pages(self.google.tasks.tasks().list, **params)):
            self._cursors[stream] = max(item["updated"], self._cursors.get(stream, ""))
            if item.get("deleted"):
                self.copy.pop((stream, item["id"]), None)
            else:
                self.copy[stream, item["id"]] = item

    # Cursors

    def _tokened(self, stream: str, ask: Any, keep: Any) -> None:
        """An incremental listing, or a full one if there is no good token."""
        found = None
        if stream in self._cursors:
            try:
                found = ask(self._cursors[stream])
            except HttpError as error:
                assert reason(error) in {"fullSyncRequired", "EXPIRED_SYNC_TOKEN"}
        if found is None:
            self._drop(stream)
            self._counted(stream)
            found = ask(None)
        keep(found)
        self._cursors[stream] = found[-1]["nextSyncToken"]

    def _drop(self, stream: str) -> None:
        for key in [key for key in self.copy if key[0] == stream]:
            del self.copy[key]

    def _counted(self, stream: str) -> None:
        kind = stream.partition("/")[0]
        self.fulls[kind] = self.fulls.get(kind, 0) + 1


def _items(found: list[Item]) -> list[Item]:
    return [item for page in found for item in page["items"]]
