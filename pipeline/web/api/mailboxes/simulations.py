"""What a rule would have met, as it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from pipeline.mailbox.simulating import simulate
from pipeline.web.api.mailboxes.views import HIDDEN, SenderView, sender_view


class DayCount(BaseModel):
    """How many mails arrived on one day, UTC."""

    day: date
    mails: int


class MetMail(BaseModel):
    """One mail that the rule would have met."""

    message_id: str
    arrived_at: datetime
    sender: SenderView
    subject: str | None = Field(description=HIDDEN)
    folder: str | None = Field(description="The id of the folder that it arrived in.")


class Simulation(BaseModel):
    """What a rule would have met; nothing was done."""

    days: int
    mails: int
    daily: list[DayCount] = Field(description="Days without any are left out.")
    newest: list[MetMail] = Field(description="At most 50.")
    unknown: list[str] = Field(description="What cannot be known, in words.")


def simulated(
    user_id: str, conditions: Mapping[str, Any], days: int, *, reveal: bool
) -> Simulation:
    """Return what conditions would have met.  Raises Refused for those that cannot be."""
    found = simulate(user_id, conditions, days)
    return Simulation(
        days=days,
        mails=found.count,
        daily=[DayCount(day=day, mails=mails) for day, mails in sorted(found.daily.items())],
        newest=[
            MetMail(
                message_id=event["message_id"],
                arrived_at=event["timestamp"],
                sender=sender_view(event, reveal=reveal),
                subject=event.get("subject") if reveal else None,
                folder=event.get("to_folder"),
            )
            for event in found.newest
        ],
        unknown=found.unknown,
    )
