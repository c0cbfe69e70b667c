"""Staged mail of a mailbox, by what became of it."""

from __future__ import annotations

from models import StagedEmail
from models.staged_email import STAGED_OPEN
from pipeline.mailbox import warning
from pipeline.mailbox.reading.places import Place
from pipeline.stores import Row, collection

#: What the lists are called, and the statuses in each.
TABS: dict[str, tuple[str, ...]] = {
    "staged": STAGED_OPEN,
    "executed": ("executed",),
    "rescued": ("rescued",),
    "expired": ("expired",),
    "failed": ("failed",),
}


def staged(mailbox: Row, tab: str, limit: int, before: Place | None = None) -> list[Row]:
    """Return the mails of one list, those that were staged last first, behind a place."""
    query: Row = {"mailbox_id": mailbox["_id"], "status": {"$in": list(TABS[tab])}}
    if before is not None:
        query |= before.condition("staged_at")
    if tab == "staged":
        warning.looked(mailbox)
    rows = collection(StagedEmail).find(query)
    return list(rows.sort([("staged_at", -1), ("_id", -1)]).limit(limit))


def counts(mailbox: Row) -> dict[str, int]:
    """Return how many mails are in each list."""
    match = {"$match": {"mailbox_id": mailbox["_id"]}}
    group = {"$group": {"_id": "$status", "count": {"$sum": 1}}}
    by_status = {
        row["_id"]: row["count"] for row in collection(StagedEmail).aggregate([match, group])
    }
    return {tab: sum(by_status.get(one, 0) for one in among) for tab, among in TABS.items()}
