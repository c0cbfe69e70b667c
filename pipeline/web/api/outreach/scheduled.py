"""What is to happen next, and why then."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from pipeline.outreach.reading import scheduled as reading
from pipeline.outreach.reading.scheduled import ActionRow, Filter
from pipeline.web.api.common import Limit
from pipeline.web.api.outreach.common import (
    MASKED,
    NEXT,
    Cursor,
    OfTenant,
    Reads,
    only,
    picked,
    placed,
    reveals,
    routed,
)

router = routed("outreach schedule", "/scheduled-actions")


class ActionView(BaseModel):
    """Something that is to happen to a contact in a campaign."""

    id: str = Field(description="Its id.")
    kind: str = Field(description="send, or timeout: the end of a wait.")
    what: str = Field(description="What is to happen, in words.")
    due_at: datetime = Field(description="When it is due.")
    planned_at: datetime = Field(description="When it would be without quiet hours and limits.")
    because: str | None = Field(description="Why it is due when it is, in words.")
    status: str = Field(description="pending, or queued: a job is on its way.")
    attempts: int = Field(description="How often it was tried.")
    campaign_id: str = Field(description="The id of the campaign.")
    campaign: str = Field(description="The name of the campaign.")
    enrollment_id: str = Field(description="The enrollment that it happens to.")
    contact_id: str = Field(description="The contact that it happens to.")
    who: str = Field(description=f"The contact's address. {MASKED}")
    node_id: str = Field(description="The node that it is about.")
    event: str | None = Field(description="Of a timeout: what has not happened then.")
    sender_id: str | None = Field(description="Of a send: the sender that it goes by.")
    sender: str | None = Field(description="The name of that sender.")
    channel: str | None = Field(description="Of a send: email or sms.")


class ActionList(BaseModel):
    """A page of what is to happen, the soonest first."""

    actions: list[ActionView] = Field(description="What is to happen.")
    next: str | None = Field(description=NEXT)


@router.get("")
def list_scheduled_actions(
    caller: Reads,
    tenant: OfTenant,
    campaign_id: Annotated[str, only("campaign")] = "",
    sender_id: Annotated[str, only("sender")] = "",
    enrollment_id: Annotated[str, only("enrollment")] = "",
    kind: Annotated[
        Literal["send", "timeout"] | None, Query(description="Only of this kind.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ActionList:
    """List what is still to happen, the soonest first, and why it is due then."""
    wanted = Filter(campaign_id, sender_id, enrollment_id, kind or "")
    reveal = reveals(caller)
    with placed():
        page = reading.listed(tenant, limit, after=cursor or "", wanted=wanted, reveal=reveal)
    return ActionList(actions=[_view(one) for one in page.rows], next=page.next or None)


_SAME = (
    *("kind", "due_at", "planned_at", "status", "campaign_id", "enrollment_id", "contact_id"),
    *("node_id", "event", "sender_id", "channel"),
)


def _view(one: ActionRow) -> ActionView:
    return ActionView(
        **picked(one.action, _SAME),
        id=one.id,
        what=one.what,
        because=one.because or None,
        attempts=one.action.get("attempts") or 0,
        campaign=one.campaign,
        who=one.who,
        sender=one.sender or None,
    )
