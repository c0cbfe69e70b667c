"""Patterns of a mailbox by status, the surest first."""

from __future__ import annotations

from models import Pattern
from models.pattern import PATTERN_STATUSES
from pipeline.errors import Gone
from pipeline.mailbox.reading.ids import object_id
from pipeline.stores import Row, collection

_ORDER = [("confidence", -1), ("_id", -1)]


def patterns(mailbox: Row, status: str, limit: int, after: str = "") -> list[Row]:
    """Return the patterns of one status, behind the pattern `after`.

    Raises ValueError if there is no such pattern.
    """
    query: Row = {"user_id": mailbox["user_id"], "mailbox_id": mailbox["_id"], "status": status}
    if after:
        try:
            last = find(mailbox, after)
        except Gone:
            raise ValueError("this is not a place in the list of patterns") from None
        less: Row = {"confidence": {"$lt": last["confidence"]}}
        same = {"confidence": last["confidence"], "_id": {"$lt": last["_id"]}}
        query["$or"] = [less, same]
    return list(collection(Pattern).find(query).sort(_ORDER).limit(limit))


def find(mailbox: Row, pattern_id: str) -> Row:
    """Return a pattern of a mailbox.  Raises Gone if there is none of this id."""
    row = collection(Pattern).find_one(
        {"_id": object_id(pattern_id), "mailbox_id": mailbox["_id"], "user_id": mailbox["user_id"]}
    )
    if row is None:
        raise Gone("there is no such pattern")
    return row


def counts(mailbox: Row) -> dict[str, int]:
    """Return how many patterns of each status there are."""
    match = {"$match": {"user_id": mailbox["user_id"], "mailbox_id": mailbox["_id"]}}
    group = {"$group": {"_id": "$status", "count": {"$sum": 1}}}
    found = {row["_id"]: row["count"] for row in collection(Pattern).aggregate([match, group])}
    return {status: found.get(status, 0) for status in PATTERN_STATUSES}


def conditions_of(pattern: Row) -> Row:
    """Return the conditions of the rule that a pattern would become."""
    condition = pattern.get("condition") or {}
    given: Row = {
        "sender_email": [condition["sender_email"]] if condition.get("sender_email") else [],
        "sender_domain": condition.get("sender_domain"),
        "from_folder": condition.get("from_folder"),
    }
    return {name: value for name, value in given.items() if value}
