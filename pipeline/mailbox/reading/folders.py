"""The folders of a mailbox as they are shown: paths, and how many mails are in each."""

from __future__ import annotations

from dataclasses import dataclass

from models import Record
from pipeline.mailbox import folders as landed
from pipeline.mailbox.folders import MESSAGES_STREAM, SOURCE, Folder
from pipeline.stores import collection


@dataclass(frozen=True, slots=True)
class Counted:
    """A folder, and how many of its mails are kept here."""

    folder: Folder
    mails: int


def counted(user_id: str) -> list[Counted]:
    """Return the folders of a user's mailbox, those that Microsoft made first."""
    mails = _mails(user_id)
    found = [
        Counted(one, mails.get(MESSAGES_STREAM + one.id, 0)) for one in landed.of_user(user_id)
    ]
    return sorted(found, key=lambda one: not one.folder.well_known)


def paths(user_id: str) -> dict[str, str]:
    """Return the paths of the folders of a user's mailbox, by id."""
    return {folder.id: folder.path for folder in landed.of_user(user_id)}


def choices(user_id: str) -> list[tuple[str, str]]:
    """Return the ids and paths of the folders that a person may choose from."""
    return [(one.id, one.path) for one in landed.of_user(user_id) if not one.is_hidden]


def _mails(user_id: str) -> dict[str, int]:
    """Return how many mails are in each stream."""
    match = {"user_id": user_id, "source": SOURCE, "deleted_at": None}
    group = {"_id": "$stream", "count": {"$sum": 1}}
    found = collection(Record).aggregate([{"$match": match}, {"$group": group}])
    return {row["_id"]: row["count"] for row in found}
