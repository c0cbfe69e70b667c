"""What providers told, and what of it could not be read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from pipeline.outreach.reading import deliveries as reading
from pipeline.stores import Row
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import Limit
from pipeline.web.api.outreach.common import (
    NEXT,
    Cursor,
    DeliveryId,
    OfTenant,
    Reads,
    picked,
    placed,
    routed,
)
from pipeline.web.api.problems import Refused

router = routed("outreach deliveries", "/deliveries")

_OTHERS = "Null for a token of a tenant if it tells of others too."
_EVERYBODY = Query(
    description="Those of all tenants, and of none because they could not be read; "
    "not for a token of a tenant."
)


class DeliveryView(BaseModel):
    """A request of a provider's, as it came in, verified."""

    id: str = Field(description="SHA-256 of what was signed.")
    provider: str = Field(description="sendgrid or twilio.")
    kind: str = Field(description="events, status or inbound.")
    status: str = Field(description="received, processed, partial or failed.")
    attempts: int = Field(description="How often it was worked through.")
    counts: dict[str, int] | None = Field(description=f"What was in it, by kind. {_OTHERS}")
    problems: list[str] | None = Field(description=f"What could not be read in it. {_OTHERS}")
    received_at: datetime = Field(description="When it came in.")
    processed_at: datetime | None = Field(description="When it was worked through.")


class DeliveryList(BaseModel):
    """A page of deliveries, the newest first."""

    deliveries: list[DeliveryView] = Field(description="The deliveries.")
    next: str | None = Field(description=NEXT)


@router.get("")
def list_deliveries(
    caller: Reads,
    tenant: OfTenant,
    status: Annotated[
        Literal["received", "processed", "partial", "failed"] | None,
        Query(description="Only those of this status."),
    ] = None,
    everybody: Annotated[bool, _EVERYBODY] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryList:
    """List what providers told of a tenant's messages, the newest first."""
    whose = _whose(caller, tenant, everybody)
    with placed():
        page = reading.listed(whose, limit, after=cursor or "", status=status or "")
    shown = [_view(caller, row) for row in page.rows]
    return DeliveryList(deliveries=shown, next=page.next or None)


@router.get("/{delivery:id}")
def get_delivery(
    caller: Reads,
    tenant: OfTenant,
    delivery: DeliveryId,
    everybody: Annotated[bool, _EVERYBODY] = False,
) -> DeliveryView:
    """Tell of one request of a provider's."""
    return _view(caller, reading.find(_whose(caller, tenant, everybody), delivery))


def _whose(caller: Caller, tenant_id: str, everybody: bool) -> str | None:
    """Return whose deliveries are asked for, None for all.  Raises Refused 403."""
    if everybody and caller.tenant_id is not None:
        raise Refused(403, f"the token {caller.name} is of a tenant; leave out `everybody`")
    return None if everybody else tenant_id


def _view(caller: Caller, row: Row) -> DeliveryView:
    same = ("provider", "kind", "status", "received_at", "processed_at")
    own = caller.tenant_id is None or set(row.get("tenant_ids") or ()) <= {caller.tenant_id}
    return DeliveryView(
        **picked(row, same),
        id=row["_id"],
        attempts=row.get("attempts") or 0,
        counts=row.get("counts") or {} if own else None,
        problems=row.get("problems") or [] if own else None,
    )
