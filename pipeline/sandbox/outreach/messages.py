"""A message in the inbox, and who carried it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.sandbox.clock import rfc3339
from pipeline.sandbox.outreach.recipients import Act, Arrival


@dataclass(frozen=True)
class Message:
    """A message to one recipient.

    `headers` of mail by name; `custom` are the sender's own notes (custom args); `details` are
    for its carrier alone.  `status` is `accepted` or an Arrival.
    """

    n: int
    message_id: str
    channel: str
    provider: str
    provider_id: str
    to: str
    from_: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    custom: dict[str, Any]
    details: dict[str, Any]
    received_ms: int
    status: str
    status_ms: int

    def header(self, name: str) -> str:
        """The value of a header, whatever the case of its name; empty without it."""
        wanted = name.lower()
        return next((text for key, text in self.headers.items() if key.lower() == wanted), "")

    def described(self) -> dict[str, Any]:
        """The message as control shows it."""
        same = ("channel", "provider", "provider_id", "to", "subject", "text", "html", "headers")
        return {
            "number": self.n,
            "id": self.message_id,
            "from": self.from_,
            "custom_args": self.custom,
            "categories": self.details.get("categories", []),
            "status": self.status,
            "received_at": rfc3339(self.received_ms),
            "status_at": rfc3339(self.status_ms),
        } | {name: getattr(self, name) for name in same}


class Carrier(Protocol):
    """A provider that is told what becomes of the messages it accepted."""

    def arrived(self, message: Message, arrival: Arrival) -> None:
        """A message was delivered, bounced, … or deferred once more.

        Runs inside a transaction: writes rows, waits for nothing.
        """

    def acted(self, message: Message, act: Act, how: Mapping[str, Any]) -> None:
        """The recipient did something.  Runs inside a transaction as well, after the recipient
        has fetched what a mail program fetches; `how` has the `text` of a reply, the `url` of a
        click."""

    def waiting(self) -> int:
        """How much is still to be told."""

    def clear(self) -> None:
        """Forget what is to be told, and all that control has set up."""
