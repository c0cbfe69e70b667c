"""The folders of a Microsoft mailbox, and which of them are the well-known ones.

https://learn.microsoft.com/graph/api/mailfolder-delta
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pipeline.errors import Gone
from pipeline.sources.base import Cursor, Item, Page, ProviderClient, Resume, fingerprint_of
from pipeline.sources.gate import FOLDER, fill
from pipeline.sources.microsoft.paging import answers, end_page

STREAM = "folders"
#: Folders that Graph knows by these names, whatever they are called.
WELL_KNOWN = (*("inbox", "drafts", "sentitems", "deleteditems", "archive", "junkemail", "outbox"),)
#: No counters: nothing tells when those change.
_FIELDS = ("id", "displayName", "parentFolderId", "isHidden")
_PARAMS = {"select": ",".join(_FIELDS)}
#: It shows what is in other folders.
_SEARCH_FOLDER = "#microsoft.graph.mailSearchFolder"
#: What the cursor keeps: well-known names by folder id.
_NAMES = "well_known"


def fingerprint() -> str:
    """Return a hash of what is asked for."""
    return fingerprint_of(_PARAMS)


def listing(client: ProviderClient, start: Cursor, resume: Resume | None) -> Iterator[Page]:
    """Yield all folders, going on at `resume`."""
    if resume is not None:
        first = client.call("GET", url=resume["link"])
    else:
        first = client.call("GET /me/mailFolders/delta", **_PARAMS)
    yield from read(client, first, resume or start)


def read(client: ProviderClient, first: Item, cursor: Cursor) -> Iterator[Page]:
    """Yield the pages from the answer `first` on; new folders may be well-known ones."""
    looked = False
    for answer in answers(client, first):
        entries = answer.get("value", [])
        if entries and not looked:
            cursor, looked = {**cursor, _NAMES: _well_known(client, cursor)}, True
        page = Page()
        fill(page, entries, FOLDER, partial(_sort, cursor))
        yield end_page(page, answer, cursor)


def _sort(cursor: Cursor, page: Page, entry: Item) -> None:
    landed = None if "@removed" in entry else as_landed(entry, cursor)
    if landed is None:
        page.delete(entry["id"])
    else:
        page.deletions.discard(entry["id"])
        page.upserts[entry["id"]] = landed


def as_landed(item: Item, cursor: Cursor) -> Item | None:
    """Return the fields of a folder that are kept; None for one that only shows others' mail."""
    if item.get("@odata.type") == _SEARCH_FOLDER:
        return None
    kept = {name: item[name] for name in _FIELDS if item.get(name) is not None}
    name = cursor.get(_NAMES, {}).get(item["id"])
    return kept | ({"wellKnownName": name} if name else {})


def _well_known(client: ProviderClient, cursor: Cursor) -> dict[str, str]:
    """Return the well-known names by folder id; those that are known need not be asked for."""
    known: dict[str, str] = dict(cursor.get(_NAMES, {}))
    missing = [name for name in WELL_KNOWN if name not in known.values()]
    gets = [{"id": name, "select": "id"} for name in missing]
    found = client.batch("GET /me/mailFolders/{id}", gets) if gets else []
    for name, answer in zip(missing, found, strict=True):
        if isinstance(answer, Gone):  # an archive, for example, is made when it is first used
            continue
        if isinstance(answer, Exception):
            raise answer
        known[answer["id"]] = name
    return known
