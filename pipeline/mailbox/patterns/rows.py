"""Patterns in MongoDB: how they are found, and changed only if they are still as they were read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from models import Pattern
from models.pattern import OPEN_PATTERN_STATUSES
from pipeline.errors import Gone, Permanent
from pipeline.stores import Row, collection

#: MongoDB's code for what a unique index refuses.
_DUPLICATE = 11_000


class Key(NamedTuple):
    """What there is at most one open pattern of in a mailbox."""

    pattern_type: str
    sender_email: str | None
    action: str
    to_folder: str | None


def key_of(pattern: Row) -> Key:
    """Return what makes a pattern another one than the next."""
    action = pattern["suggested_action"]
    return Key(
        pattern["pattern_type"],
        sender_of(pattern),
        action["action_type"],
        action.get("to_folder"),
    )


def sender_of(pattern: Row) -> str | None:
    """Return whose mail a pattern is about."""
    return (pattern.get("condition") or {}).get("sender_email")


def is_open(pattern: Row) -> bool:
    """Return whether a pattern is one of those of which there is but one."""
    return pattern["status"] in OPEN_PATTERN_STATUSES


def owned(user_id: str, pattern_id: str) -> Row:
    """Return a pattern of a user.  Raises Gone if the user has no such pattern."""
    try:
        wanted = {"_id": ObjectId(pattern_id), "user_id": user_id}
    except (InvalidId, TypeError):
        wanted = None
    pattern = wanted and collection(Pattern).find_one(wanted)
    if not pattern:
        raise Gone("there is no such pattern of this user; look at the list of patterns")
    return pattern


def change_of(
    pattern: Row, changes: Row, now: datetime, *, unset: tuple[str, ...] = (), suggest: bool = False
) -> tuple[Row, Row]:
    """Return the filter and the update that change `pattern`, unless somebody was quicker.

    `suggest`: it becomes suggested again, as a new version.
    """
    was = {"_id": pattern["_id"], "status": pattern["status"], "version": pattern.get("version", 0)}
    update: Row = {"$set": changes | {"updated_at": now}}
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    if suggest:
        update["$set"] |= {"status": "suggested", "suggested_at": now}
        update["$inc"] = {"version": 1}
    return was, update


def changed(
    pattern: Row, changes: Row, now: datetime, *, unset: tuple[str, ...] = (), suggest: bool = False
) -> bool:
    """Change `pattern` as `change_of` says; returns whether it was still as it was read.

    Raises Permanent if it would become what another open pattern is already.
    """
    was, update = change_of(pattern, changes, now, unset=unset, suggest=suggest)
    try:
        return bool(collection(Pattern).update_one(was, update).matched_count)
    except DuplicateKeyError:
        raise Permanent(
            "this mailbox already has such a pattern of the same sender; act on that one instead"
        ) from None


def written(writes: Sequence[InsertOne[Row] | UpdateOne]) -> int:
    """Write them all, and return how many were not overtaken by somebody who was quicker."""
    if not writes:
        return 0
    try:
        result = collection(Pattern).bulk_write(writes, ordered=False)
        return int(result.inserted_count + result.matched_count)
    except BulkWriteError as error:
        said: Row = dict(error.details or {})
        if any(one["code"] != _DUPLICATE for one in said["writeErrors"]):
            raise
        return int(said["nInserted"] + said["nMatched"])
