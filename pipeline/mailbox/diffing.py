"""What happened to a mail, told by how it was seen last and how it is now.

Reads nothing.  Whatever happened in between counts as one change: mail that was moved
twice was moved to where it is now, and mail that is as it was gives no event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.mailbox.folders import Folders
from pipeline.mailbox.matching import Mail
from pipeline.stores import Row

#: Folders of mail that its user writes: what happens there tells nothing of mail that came.
_SILENT = ("drafts", "sentitems", "outbox")
_DELETED = "deleteditems"
#: Folders in which no rule is looked for, beside the silent ones.
_UNRULED = (_DELETED, "junkemail")


@dataclass(frozen=True, slots=True)
class SpecialFolders:
    """Which folders of a mailbox mean something: by their ids, whatever they are called."""

    deleted: str | None
    silent: frozenset[str]
    unruled: frozenset[str]

    @classmethod
    def of(cls, folders: Folders, staging_folder_id: str | None) -> SpecialFolders:
        """Return those of a mailbox."""
        silent = frozenset(filter(None, map(folders.well_known, _SILENT)))
        others = frozenset(filter(None, [*map(folders.well_known, _UNRULED), staging_folder_id]))
        return cls(folders.well_known(_DELETED), silent, silent | others)


@dataclass(frozen=True, slots=True)
class Seen:
    """A mail as far as its changes are events."""

    folder_id: str
    is_read: bool
    is_flagged: bool
    categories: tuple[str, ...]

    @classmethod
    def of(cls, mail: Mail) -> Seen:
        """Return how a landed mail is."""
        return cls(mail.folder_id, mail.is_read, mail.is_flagged, tuple(sorted(mail.categories)))

    @classmethod
    def stored(cls, row: Mapping[str, Any]) -> Seen:
        """Return how a mail was when its row was written."""
        return cls(
            str(row.get("folder_id") or ""),
            bool(row.get("is_read")),
            bool(row.get("is_flagged")),
            tuple(sorted(row.get("categories") or ())),
        )

    def row(self) -> Row:
        """Return the fields that are stored."""
        return {
            "folder_id": self.folder_id,
            "is_read": self.is_read,
            "is_flagged": self.is_flagged,
            "categories": list(self.categories),
        }


class Change(NamedTuple):
    """One event: its type, and the folders that it leads from and to, if it is about them."""

    type: str
    from_folder: str | None = None
    to_folder: str | None = None


def changes(before: Seen, after: Seen, special: SpecialFolders) -> list[Change]:
    """Return what happened to a mail between two looks at it.

    Mail that is put into Deleted Items was deleted; wherever else it goes, it was moved.
    """
    if {before.folder_id, after.folder_id} & special.silent:
        return []
    found = []
    if after.folder_id != before.folder_id:
        kind = "deleted" if after.folder_id == special.deleted else "moved"
        found.append(Change(kind, before.folder_id, after.folder_id))
    if after.is_read and not before.is_read:
        found.append(Change("read"))
    if after.is_flagged and not before.is_flagged:
        found.append(Change("flagged"))
    if after.categories != before.categories:
        found.append(Change("categorized"))
    return found


def vanished(before: Seen, special: SpecialFolders) -> list[Change]:
    """Return what happened to a mail that is gone: nothing, if it had been deleted before."""
    if before.folder_id in special.silent or before.folder_id == special.deleted:
        return []
    return [Change("deleted", before.folder_id)]
