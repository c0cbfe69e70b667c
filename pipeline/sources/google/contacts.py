"""Google Contacts: one stream of people.

https://developers.google.com/people/v1/contacts#sync_contacts
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pipeline.sources.base import Cursor, Item, Page, ProviderClient, Resume, Source, fingerprint_of
from pipeline.sources.gate import PERSON, fill
from pipeline.sources.google.paging import answers

#: `metadata` carries the deletions.
PERSON_FIELDS = (
    "addresses", "biographies", "birthdays", "emailAddresses", "events", "memberships",
    "metadata", "names", "nicknames", "occupations", "organizations", "phoneNumbers", "photos",
    "relations", "urls", "userDefined",
)  # fmt: skip
#: With a sync or page token everything else must equal the first call.
_PARAMS = {
    "resourceName": "people/me",
    "personFields": ",".join(PERSON_FIELDS),
    "pageSize": 1000,
    "requestSyncToken": True,
}


class ContactsSource(Source):
    """All contacts of a user."""

    name = "google_contacts"
    provider = "google"
    root_stream = "connections"
    #: A sync token lives for seven days after the full listing.
    #: https://developers.google.com/people/api/rest/v1/people.connections/list
    relist_after = timedelta(days=6)
    parent_field = None

    def child_stream(self, item_id: str) -> None:
        """Return None: a person opens no stream."""

    def fingerprint(self, stream: str) -> str:
        """Return a hash of the parameters that the sync token is bound to."""
        return fingerprint_of(_PARAMS)

    def first_cursor(self, now: datetime) -> Cursor:
        """Return nothing to remember: contacts have no window."""
        return {}

    def pages(self, client: ProviderClient, stream: str, cursor: Cursor) -> Iterator[Page]:
        """Yield the changes since the sync token."""
        return self._read(client, {**_PARAMS, "syncToken": cursor["token"]}, None)

    def listing(
        self,
        client: ProviderClient,
        stream: str,
        start: Cursor,
        resume: Resume | None,
    ) -> Iterator[Page]:
        """Yield all contacts."""
        return self._read(client, dict(_PARAMS), (resume or {}).get("page_token"))

    def as_landed(self, stream: str, item: Item, cursor: Cursor) -> Item | None:
        """Return the fields that we ask for, or None for a deleted person."""
        metadata = item.get("metadata", {})
        if metadata.get("deleted"):
            return None
        kept = {name: item[name] for name in PERSON_FIELDS if name in item}
        # Given once, by the answer that reports the change; it is no part of the person.
        kept["metadata"] = {k: v for k, v in metadata.items() if k != "previousResourceNames"}
        return {"resourceName": item["resourceName"], "etag": item.get("etag"), **kept}

    def _read(
        self, client: ProviderClient, params: dict[str, Any], page_token: str | None
    ) -> Iterator[Page]:
        def sort(page: Page, item: Item) -> None:
            for former in item.get("metadata", {}).get("previousResourceNames", []):
                if former not in page.upserts:
                    page.delete(former)
            landed = self.as_landed(self.root_stream, item, {})
            if landed is None:
                page.delete(item["resourceName"])
            else:
                page.upserts[item["resourceName"]] = landed
                page.deletions.discard(item["resourceName"])

        for answer in answers(client, "people.people.connections.list", params, page_token):
            page = fill(
                Page(total=answer.get("totalItems")), answer.get("connections", []), PERSON, sort
            )
            if "nextPageToken" in answer:
                page.resume = {"page_token": answer["nextPageToken"]}
            else:
                page.cursor = {"token": answer["nextSyncToken"]}
            yield page
