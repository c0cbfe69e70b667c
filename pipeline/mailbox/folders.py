"""The folders of a mailbox, as they landed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models import Record
from pipeline.stores import Row, collection

SOURCE = "microsoft_mail"
#: The stream of a mailbox's folders, and the beginning of those of their mail.
FOLDERS_STREAM = "folders"
MESSAGES_STREAM = "messages/"


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder; `path` has its parents' names, `well_known` is what it is at Microsoft."""

    id: str
    name: str
    path: str
    well_known: str | None = None
    is_hidden: bool = False


class Folders:
    """The folders of one mailbox, found by id, by what they are, or by name."""

    def __init__(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Take folders as Microsoft gives them, with `wellKnownName` where they have one."""
        self._items = {str(item["id"]): item for item in items}
        self._by_id = {folder_id: self._folder(folder_id) for folder_id in self._items}
        self._well_known = {f.well_known: f.id for f in self._by_id.values() if f.well_known}

    def __contains__(self, folder_id: object) -> bool:
        return folder_id in self._by_id

    def __iter__(self) -> Iterator[Folder]:
        """Yield them in the order of their paths."""
        return iter(sorted(self._by_id.values(), key=lambda folder: folder.path.casefold()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, folder_id: str) -> Folder | None:
        """Return a folder, or None if there is none of this id."""
        return self._by_id.get(folder_id)

    def path(self, folder_id: str) -> str:
        """Return the names from the top to a folder; "?" for one that is not known."""
        folder = self._by_id.get(folder_id)
        return folder.path if folder else "?"

    def name(self, folder_id: str) -> str:
        """Return the name of a folder; "?" for one that is not known."""
        folder = self._by_id.get(folder_id)
        return folder.name if folder else "?"

    def well_known(self, name: str) -> str | None:
        """Return the id of `inbox`, `archive`, `deleteditems` …, whatever its language calls it."""
        return self._well_known.get(name)

    def named(self, name: str) -> Folder | None:
        """Return the first folder of this name or path, whatever the case of its letters."""
        wanted = name.casefold()
        return next((f for f in self if wanted in (f.name.casefold(), f.path.casefold())), None)

    def _folder(self, folder_id: str) -> Folder:
        item = self._items[folder_id]
        return Folder(
            folder_id,
            str(item.get("displayName") or "?"),
            " / ".join(self._names(folder_id)),
            item.get("wellKnownName") or None,
            bool(item.get("isHidden")),
        )

    def _names(self, folder_id: str) -> list[str]:
        """Return the names down to a folder; a loop of parents, which should not be, ends it."""
        names: list[str] = []
        seen: set[str] = set()
        while folder_id in self._items and folder_id not in seen:
            seen.add(folder_id)
            item = self._items[folder_id]
            names.append(str(item.get("displayName") or "?"))
            folder_id = str(item.get("parentFolderId") or "")
        return names[::-1]


def of_user(user_id: str) -> Folders:
    """Return the folders of a user's mailbox that have landed."""
    live: Row = {
        "user_id": user_id,
        "source": SOURCE,
        "stream": FOLDERS_STREAM,
        "deleted_at": None,
    }
    rows = collection(Record).find(live, {"item_id": 1, "item": 1})
    return Folders({**row["item"], "id": row["item_id"]} for row in rows)
