"""Requests of providers that came in."""

from __future__ import annotations

from models import OutreachDelivery
from pipeline.errors import Gone
from pipeline.outreach.reading.pages import Page, by_time
from pipeline.stores import Row, collection


def listed(
    tenant_id: str | None, limit: int = 50, *, after: str = "", status: str = ""
) -> Page[Row]:
    """Return deliveries, the newest first, without their bytes.  Raises ValueError.

    Those that hold events of a tenant; all, also such as could not be read, without one.
    """
    query: Row = {"tenant_ids": tenant_id} if tenant_id is not None else {}
    if status:
        query["status"] = status
    return Page(*by_time(OutreachDelivery, query, "received_at", limit, after, without=("raw",)))


def find(tenant_id: str | None, delivery_id: str) -> Row:
    """Return a delivery without its bytes, one with events of a tenant if it is given.

    Raises Gone.
    """
    query: Row = {"_id": delivery_id} | ({"tenant_ids": tenant_id} if tenant_id else {})
    row = collection(OutreachDelivery).find_one(query, {"raw": 0})
    if row is None:
        raise Gone("there is no such delivery; they are kept for a while only")
    return row
