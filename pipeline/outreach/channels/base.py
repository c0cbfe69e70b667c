"""What every channel does: send one message, find out what became of one, check a sender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from pipeline.stores import Row


class Content(Protocol):
    """What a recipient reads.  Of an SMS only `text` counts."""

    @property
    def subject(self) -> str: ...
    @property
    def html(self) -> str | None: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to be sent.

    `message_id` is the OutboundMessage's.  `headers` are those of mail beside sender, recipient
    and subject; `message_id_header` is its Message-ID with the angle brackets, the same in every
    attempt.  `custom_args` are ids alone: the provider shows them to whoever works with it.
    `status_url` is where Twilio tells what became of the message; empty: nowhere.
    """

    message_id: str
    to: str
    content: Content
    headers: Mapping[str, str] = field(default_factory=dict)
    message_id_header: str = ""
    custom_args: Mapping[str, str] = field(default_factory=dict)
    status_url: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message; `provider_id` is its name for it, or empty."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """The provider has the message, since `at`."""

    provider_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider certainly has not taken the message."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """It cannot be said, or not yet, whether the provider has taken the message."""

    because: str


class Channel(Protocol):
    """A provider that carries messages.

    `reports` are the types of events that can be known of its messages (models.EVENT_TYPES
    without no_open and no_click).  `own_tracking`: links and opens are told by our own links,
    not by the provider.
    """

    provider: str
    reports: frozenset[str]
    own_tracking: bool

    def send(self, sender: Row, message: Outgoing) -> Accepted:
        """Hand one message over, once.

        Raises NotTaken or RateLimited when it was certainly not sent and may be tried again,
        Refused when it never will be, Misconfigured when the sender cannot send, Unanswered when
        it may have been sent.
        """
        ...

    def lookup(self, sender: Row, message: Row) -> Found | Absent | Unsure:
        """Ask the provider for an OutboundMessage.  Raises Transient or RateLimited when it does
        not answer, Misconfigured when it refuses the sender."""
        ...

    def verify(self, sender: Row) -> None:
        """Check that the provider takes messages from this sender; sends nothing.

        Raises Misconfigured that says what to mend, Transient or RateLimited when the provider
        does not answer.
        """
        ...


def content_hash(channel: str, content: Content) -> str:
    """Return the SHA-256 of what is sent, in hex; that of an SMS is of its text alone."""
    if channel == "sms":
        return text_hash(content.text)
    return text_hash("\0".join((content.subject, content.text, content.html or "")))


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hex."""
    return sha256(text.encode()).hexdigest()
