"""The providers that carry messages, behind one interface: `of(sender)` is a sender's."""

from __future__ import annotations

from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.outreach.channels.base import (
    Absent,
    Accepted,
    Channel,
    Found,
    Outgoing,
    Unsure,
    content_hash,
)

__all__ = [
    "Absent",
    "Accepted",
    "Channel",
    "Found",
    "NotTaken",
    "Outgoing",
    "Refused",
    "Unanswered",
    "Unsure",
    "content_hash",
]
