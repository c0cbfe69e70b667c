"""Campaigns of a tenant, and how many of their contacts are where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models import Campaign, Enrollment, PlanVersion
from models.outreach import CAMPAIGN_STATUSES, ENROLLMENT_STATUSES
from pipeline.errors import Gone
from pipeline.outreach.reading import remembered
from pipeline.outreach.reading.pages import Page, by_time
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign in a list: `enrollments` counts them by each status, some seconds ago at most."""

    campaign: Row
    enrollments: dict[str, int]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.campaign["_id"])

    @property
    def contacts(self) -> int:
        """How many contacts are in it."""
        return sum(self.enrollments.values())


def listed(
    tenant_id: str, limit: int = 50, *, after: str = "", status: str = ""
) -> Page[CampaignRow]:
    """Return campaigns, the newest first, of one status if it is given.  Raises ValueError."""
    query: Row = {"tenant_id": tenant_id} | ({"status": status} if status else {})
    rows, following = by_time(Campaign, query, "created_at", limit, after)
    return Page([_row(row) for row in rows], following)


def find(tenant_id: str, campaign_id: str) -> CampaignRow:
    """Return a campaign.  Raises Gone."""
    row = collection(Campaign).find_one({"_id": campaign_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("there is no such campaign")
    return _row(row)


def counts(tenant_id: str) -> dict[str, int]:
    """Return how many campaigns of each status there are."""
    match = {"$match": {"tenant_id": tenant_id}}
    group = {"$group": {"_id": "$status", "count": {"$sum": 1}}}
    found = {row["_id"]: row["count"] for row in collection(Campaign).aggregate([match, group])}
    return {status: found.get(status, 0) for status in CAMPAIGN_STATUSES}


def versions(tenant_id: str, campaign_id: str) -> list[Row]:
    """Return the versions of a campaign's plan without the plans, the newest first."""
    query = {"campaign_id": campaign_id, "tenant_id": tenant_id}
    return list(collection(PlanVersion).find(query, {"plan": 0}).sort("number", -1))


def names(tenant_id: str, campaign_ids: Sequence[str]) -> dict[str, str]:
    """Return the names of these campaigns, by id."""
    query = {"_id": {"$in": list(set(campaign_ids))}, "tenant_id": tenant_id}
    return {row["_id"]: row["name"] for row in collection(Campaign).find(query, {"name": 1})}


def _row(campaign: Row) -> CampaignRow:
    campaign_id = str(campaign["_id"])
    return CampaignRow(
        campaign, remembered.lately(("statuses", campaign_id), lambda: _statuses(campaign_id))
    )


def _statuses(campaign_id: str) -> dict[str, int]:
    """Count by an index alone, however many there are."""
    match = {"$match": {"campaign_id": campaign_id, "status": {"$in": list(ENROLLMENT_STATUSES)}}}
    group = {"$group": {"_id": "$status", "count": {"$sum": 1}}}
    found = {row["_id"]: row["count"] for row in collection(Enrollment).aggregate([match, group])}
    return {status: found.get(status, 0) for status in ENROLLMENT_STATUSES}
