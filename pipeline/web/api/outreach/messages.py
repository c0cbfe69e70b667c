"""Messages: what was sent, what failed, and what may have been sent or not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import BaseModel, Field

from pipeline.outreach.reading import happenings
from pipeline.outreach.reading import messages as reading
from pipeline.outreach.reading.messages import Filter, MessageRow
from pipeline.outreach.sending import reconciling
from pipeline.stores import Row
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import PRINTABLE, Limit, Payload, acting, stores
from pipeline.web.api.outreach.common import (
    ACTS,
    HIDDEN,
    MASKED,
    NEXT,
    Cursor,
    MessageId,
    OfTenant,
    Reads,
    Writes,
    only,
    picked,
    placed,
    reveals,
    routed,
)

router = routed("outreach messages", "/messages")

_Outcome = Literal[
    "delivered", "opened", "clicked", "replied", "bounced", "spam_report", "unsubscribed"
]


class MessageView(BaseModel):
    """One message to one contact."""

    id: str = Field(description="Its id, which its provider knows too.")
    state: str = Field(description="sending, sent, retryable, failed, unknown or canceled.")
    channel: str = Field(description="email or sms.")
    provider: str = Field(description="sendgrid, smtp or twilio.")
    provider_id: str | None = Field(description="What its provider calls it.")
    to: str | None = Field(description=f"To whom; null once it was forgotten. {MASKED}")
    subject: str | None = Field(description=HIDDEN)
    campaign_id: str = Field(description="The id of its campaign.")
    campaign: str = Field(description="The name of its campaign.")
    enrollment_id: str = Field(description="The enrollment that it belongs to.")
    contact_id: str = Field(description="The contact that it goes to.")
    sender_id: str = Field(description="The sender that it comes from.")
    node_id: str = Field(description="The node of the plan that it is of.")
    plan_version: int = Field(description="The version of that plan.")
    attempts: int = Field(description="How often it was tried.")
    outcomes: list[str] = Field(description="What came of it, in the order of time.")
    error: str | None = Field(description="Why it was not sent.")
    reconciliation: str | None = Field(
        description="Of an unknown one: how it stands, or how and by whom it was settled."
    )
    reconcile_due_at: datetime | None = Field(
        description="When its provider is asked next; null on an unknown one: a person has to say."
    )
    handed_over_at: datetime | None = Field(description="When it was given to its provider.")
    sent_at: datetime | None = Field(description="When it was sent.")
    created_at: datetime = Field(description="When it was first claimed.")
    updated_at: datetime = Field(description="When it last changed.")


class MessageList(BaseModel):
    """A page of messages, the newest first."""

    messages: list[MessageView] = Field(description="The messages.")
    next: str | None = Field(description=NEXT)


class MessageEventView(BaseModel):
    """Something that happened to a message."""

    id: str = Field(description="Its id.")
    type: str = Field(description="delivered, opened, clicked, replied, bounced, no_open, …")
    text: str = Field(description="What happened, in words.")
    is_machine: bool = Field(description="Whether a program did it: that moves nobody on.")
    occurred_at: datetime = Field(description="When it happened.")
    received_at: datetime = Field(description="When it was learnt of.")
    effect: str | None = Field(description="What came of it.")


class MessageDetail(MessageView):
    """A message with what happened to it."""

    events: list[MessageEventView] = Field(description="What happened, the first first.")


class Resolution(Payload):
    """What a person says of an unknown message."""

    sent: bool = Field(strict=True, description="Whether it was sent; if not, it is sent again.")


@router.get("")
def list_messages(
    caller: Reads,
    tenant: OfTenant,
    state: Annotated[
        Literal["sending", "sent", "retryable", "failed", "unknown", "canceled"] | None,
        Query(description="Only those of this state."),
    ] = None,
    outcome: Annotated[
        _Outcome | None,
        Query(description="Only those that this came of."),
    ] = None,
    campaign_id: Annotated[str, only("campaign")] = "",
    enrollment_id: Annotated[str, only("enrollment")] = "",
    sender_id: Annotated[str, only("sender")] = "",
    node_id: Annotated[str, only("node")] = "",
    to: Annotated[
        str,
        Query(description="Only to this whole address.", max_length=320, pattern=PRINTABLE),
    ] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MessageList:
    """List messages, the newest first."""
    wanted = Filter(
        state=state or "",
        campaign_id=campaign_id,
        enrollment_id=enrollment_id,
        sender_id=sender_id,
        node_id=node_id,
        outcome=outcome or "",
        to=to,
    )
    reveal = reveals(caller)
    with placed():
        page = reading.listed(tenant, limit, after=cursor or "", wanted=wanted, reveal=reveal)
    shown = [_view(one, reveal=reveal) for one in page.rows]
    return MessageList(messages=shown, next=page.next or None)


@router.get("/{message:id}")
def get_message(caller: Reads, tenant: OfTenant, message: MessageId) -> MessageDetail:
    """Tell of one message, and of all that happened to it."""
    return _detail(caller, tenant, message)


@router.post("/{message:id}/resolve", responses=ACTS, dependencies=[stores("redis")])
def resolve_message(
    request: Request, caller: Writes, tenant: OfTenant, message: MessageId, wanted: Resolution
) -> MessageDetail:
    """Settle whether an unknown message was sent; one that was not is sent again."""
    with acting(request, caller, "message.resolve", f"message {message}", sent=wanted.sent):
        reconciling.resolve(tenant, message, sent=wanted.sent, by=caller.actor)
    return _detail(caller, tenant, message)


def _detail(caller: Caller, tenant_id: str, message_id: str) -> MessageDetail:
    reveal = reveals(caller)
    one = reading.find(tenant_id, message_id, reveal=reveal)
    events = reading.events_of(tenant_id, message_id)
    return MessageDetail(
        **_view(one, reveal=reveal).model_dump(),
        events=[_event(row, one.message, reveal=reveal) for row in events],
    )


_SAME = (
    *("state", "channel", "provider", "provider_id", "campaign_id", "enrollment_id", "contact_id"),
    *("sender_id", "node_id", "plan_version", "error", "reconciliation", "reconcile_due_at"),
    *("handed_over_at", "sent_at", "created_at", "updated_at"),
)


def _view(one: MessageRow, *, reveal: bool) -> MessageView:
    row = one.message
    return MessageView(
        **picked(row, _SAME),
        id=one.id,
        to=one.to or None,
        subject=(one.subject or None) if reveal else None,
        campaign=one.campaign,
        attempts=row.get("attempts") or 0,
        outcomes=one.outcomes,
    )


def _event(row: Row, message: Row, *, reveal: bool) -> MessageEventView:
    return MessageEventView(
        id=row["_id"],
        type=row["type"],
        text=happenings.event(row, message, reveal=reveal),
        is_machine=bool(row.get("is_machine")),
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        effect=row.get("effect"),
    )
