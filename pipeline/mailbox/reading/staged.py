"""Staged mail of a mailbox, by what became of it."""

from __future__ import annotations

from pymongo import ASCENDING, DESCENDING

from models import StagedEmail
from models.staged_email import STAGED_OPEN
from pipeline.places import Place, page_of
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
    """Return the mails of one list, behind a place.

    Of what waits, that comes first which is due soonest; of what is over, what was staged last.
    """
    waits, field = tab == "staged", _field(tab)
    query: Row = {"mailbox_id": mailbox["_id"], "status": {"$in": list(TABS[tab])}}
    if before is not None:
        query |= before.condition(field, newest_last=waits)
    order = ASCENDING if waits else DESCENDING
    return list(
        collection(StagedEmail).find(query).sort([(field, order), ("_id", order)]).limit(limit)
    )


def page(mailbox: Row, tab: str, limit: int, before: Place | None = None) -> tuple[list[Row], str]:
    """Return a page of one list, as `staged`, and the place of the next one."""
    return page_of(staged(mailbox, tab, limit + 1, before), limit, _field(tab))


def counts(mailbox: Row) -> dict[str, int]:
    """Return how many mails are in each list."""
    match = {"$match": {"mailbox_id": mailbox["_id"]}}
    group = {"$group": {"_id": "$status", "count": {"$sum": 1}}}
    by_status = {
        row["_id"]: row["count"] for row in collection(StagedEmail).aggregate([match, group])
    }
    return {tab: sum(by_status.get(one, 0) for one in among) for tab, among in TABS.items()}


def _field(tab: str) -> str:
    """Return the time by which a list is in order."""
    return "expires_at" if tab == "staged" else "staged_at"
