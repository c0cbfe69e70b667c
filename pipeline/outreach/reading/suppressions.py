"""Addresses that a tenant does not write to."""

from __future__ import annotations

from dataclasses import dataclass

from models import Suppression
from models.outreach import CHANNELS, SUPPRESSION_REASONS
from pipeline.errors import Gone
from pipeline.outreach.reading import names
from pipeline.outreach.reading.pages import Page, by_time
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """A suppressed address; `address` is "(forgotten)" if only its hash is kept."""

    suppression: Row
    address: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.suppression["_id"])


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of them; empty: any.  `address` is a whole one."""

    channel: str = ""
    reason: str = ""
    address: str = ""


def listed(
    tenant_id: str,
    limit: int = 50,
    *,
    after: str = "",
    wanted: Filter | None = None,
    reveal: bool = False,
) -> Page[SuppressionRow]:
    """Return suppressed addresses, those that were seen last first.  Raises ValueError."""
    wanted = wanted or Filter()
    query: Row = {"tenant_id": tenant_id, "channel": wanted.channel or {"$in": list(CHANNELS)}}
    if wanted.reason:
        query["reason"] = wanted.reason
    if wanted.address:
        query["_id"] = {"$in": _ids(tenant_id, wanted.address)}
    rows, following = by_time(Suppression, query, "last_seen_at", limit, after)
    return Page([_row(row, reveal=reveal) for row in rows], following)


def find(tenant_id: str, suppression_id: str, *, reveal: bool = False) -> SuppressionRow:
    """Return one of them.  Raises Gone."""
    row = collection(Suppression).find_one({"_id": suppression_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("this address is not suppressed")
    return _row(row, reveal=reveal)


def counts(tenant_id: str) -> dict[str, int]:
    """Return how many there are for each reason."""
    match = {"$match": {"tenant_id": tenant_id}}
    group = {"$group": {"_id": "$reason", "count": {"$sum": 1}}}
    found = {row["_id"]: row["count"] for row in collection(Suppression).aggregate([match, group])}
    return {reason: found.get(reason, 0) for reason in SUPPRESSION_REASONS}


def _ids(tenant_id: str, address: str) -> list[str]:
    from pipeline.outreach import suppressions

    hashes = {c: suppressions.address_hash(c, address) for c in CHANNELS}
    return [f"{tenant_id}:{channel}:{value}" for channel, value in hashes.items()]


def _row(row: Row, *, reveal: bool) -> SuppressionRow:
    return SuppressionRow(row, names.address(row.get("address"), reveal=reveal) or names.FORGOTTEN)
