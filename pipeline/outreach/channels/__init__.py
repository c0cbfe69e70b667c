"""The providers that carry messages, behind one interface: `of(sender)` is a sender's."""

from __future__ import annotations

from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.outreach.channels.base import (
    Absent,
    Accepted,
    Channel,
    Content,
    Found,
    Outgoing,
    Unsure,
    content_hash,
)
from pipeline.outreach.channels.sendgrid import SendGrid
from pipeline.outreach.channels.smtp import Smtp
from pipeline.outreach.channels.twilio import Twilio
from pipeline.stores import Row

CHANNELS: dict[str, Channel] = {
    channel.provider: channel for channel in (SendGrid(), Smtp(), Twilio())
}


def of(sender: Row) -> Channel:
    """Return the channel of a SenderIdentity."""
    return CHANNELS[str(sender["provider"])]


__all__ = [
    "CHANNELS",
    "Absent",
    "Accepted",
    "Channel",
    "Content",
    "Found",
    "NotTaken",
    "Outgoing",
    "Refused",
    "Unanswered",
    "Unsure",
    "content_hash",
    "of",
]
