"""Addresses that a tenant does not write to; adding one, lifting one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from pipeline.outreach import suppressions as service
from pipeline.outreach.contact_fields import email, phone
from pipeline.outreach.reading import suppressions as reading
from pipeline.outreach.reading.suppressions import Filter, SuppressionRow
from pipeline.web.api.common import PRINTABLE, Limit, Payload, acting
from pipeline.web.api.outreach.common import (
    ACTS,
    MASKED,
    NEXT,
    Cursor,
    OfTenant,
    Reads,
    SuppressionId,
    Writes,
    location,
    picked,
    placed,
    reveals,
    routed,
)

router = routed("outreach suppressions", "/suppressions")

_Channel = Literal["email", "sms"]


class SuppressionView(BaseModel):
    """An address that nothing is sent to."""

    id: str = Field(description="Its id.")
    channel: str = Field(description="email or sms.")
    address: str = Field(description=f"(forgotten) if only its hash is kept. {MASKED}")
    reason: str = Field(
        description="The one that binds most: spam_report, unsubscribed, bounced, invalid, manual."
    )
    reasons: list[str] = Field(description="All that there are.")
    source: str = Field(description="Who said so: link, one_click, sendgrid, twilio, api, …")
    campaign_id: str | None = Field(description="The campaign that led to it.")
    contact_id: str | None = Field(description="Whose address it is, if that is known.")
    message_id: str | None = Field(description="The message that led to it.")
    note: str | None = Field(description="What somebody has noted.")
    by: str | None = Field(description="Who has added it.")
    count: int = Field(description="How often there was a reason.")
    first_seen_at: datetime = Field(description="When there was one for the first time.")
    last_seen_at: datetime = Field(description="When there was one for the last time.")
    expires_at: datetime | None = Field(description="Until when it holds; null: it is lifted.")


class SuppressionList(BaseModel):
    """A page of suppressed addresses, those that were seen last first."""

    suppressions: list[SuppressionView] = Field(description="The addresses.")
    next: str | None = Field(description=NEXT)


class SuppressionWanted(Payload):
    """An address that is not to be written to."""

    channel: _Channel = Field(description="Of mail or of SMS.")
    address: str = Field(
        min_length=1,
        max_length=320,
        description="An e-mail address, or a number as +4930123456.",
    )
    note: str = Field(default="", max_length=500, description="Why, for those who look at it.")


@router.get("")
def list_suppressions(
    caller: Reads,
    tenant: OfTenant,
    channel: Annotated[_Channel | None, Query(description="Only of this channel.")] = None,
    reason: Annotated[
        Literal["unsubscribed", "bounced", "spam_report", "invalid", "manual"] | None,
        Query(description="Only those that this binds most."),
    ] = None,
    address: Annotated[
        str, Query(description="Only this whole address.", max_length=320, pattern=PRINTABLE)
    ] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SuppressionList:
    """List the addresses that a tenant does not write to, those that were seen last first."""
    wanted = Filter(channel or "", reason or "", address)
    reveal = reveals(caller)
    with placed():
        page = reading.listed(tenant, limit, after=cursor or "", wanted=wanted, reveal=reveal)
    return SuppressionList(suppressions=[_view(one) for one in page.rows], next=page.next or None)


@router.post("", status_code=201, responses=ACTS)
def add_suppression(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    response: Response,
    wanted: SuppressionWanted,
) -> SuppressionView:
    """Have nothing be sent to an address any more.  Safe to repeat."""
    channel = wanted.channel
    address = (email if channel == "email" else phone)(wanted.address, "address")
    row_id = service.suppression_id(tenant, channel, address)
    with acting(request, caller, "suppression.add", f"suppression {row_id}"):
        service.suppress(
            None,
            tenant,
            channel,
            address,
            reason="manual",
            source="api",
            note=wanted.note,
            by=caller.actor,
        )
    response.headers["Location"] = location(request, tenant, "suppressions", row_id)
    return _view(reading.find(tenant, row_id, reveal=reveals(caller)))


@router.get("/{suppression:id}")
def get_suppression(caller: Reads, tenant: OfTenant, suppression: SuppressionId) -> SuppressionView:
    """Tell why an address is not written to."""
    return _view(reading.find(tenant, suppression, reveal=reveals(caller)))


@router.delete("/{suppression:id}", status_code=204, responses=ACTS)
def lift_suppression(
    request: Request, caller: Writes, tenant: OfTenant, suppression: SuppressionId
) -> None:
    """Write to an address again, whatever the reasons were."""
    with acting(request, caller, "suppression.lift", f"suppression {suppression}"):
        service.lift(tenant, suppression, by=caller.actor)


_SAME = (
    *("channel", "reason", "source", "campaign_id", "contact_id", "message_id", "note", "by"),
    *("first_seen_at", "last_seen_at", "expires_at"),
)


def _view(one: SuppressionRow) -> SuppressionView:
    row = one.suppression
    return SuppressionView(
        **picked(row, _SAME),
        id=one.id,
        address=one.address,
        reasons=list(row.get("grounds") or ()),
        count=row.get("count") or 1,
    )
