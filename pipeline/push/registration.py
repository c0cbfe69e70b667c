"""What a provider answers when it is asked to push, and what asks it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from pipeline.clients.google import GoogleClient
from pipeline.config import settings
from pipeline.stores import Row

#: A registration whose end the provider does not tell is made anew after this.
_UNSAID_LIFETIME = timedelta(hours=1)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Registration:
    """What the provider promised: until when, and by which names it will call us.

    `resource_id` is its name for what is watched; `route` stands for the mailbox.
    """

    expires_at: datetime
    resource_id: str | None = None
    route: bytes | None = None


class Kind(Protocol):
    """How one source is pushed.

    `in_place`: asking again prolongs what there is; otherwise a registration
    has an end, and a new one takes over before.  `renew_seconds` is how often
    to ask again at least, where the provider says so.
    """

    source: str
    provider: str
    in_place: bool
    renew_seconds: float | None

    def why_not(self) -> str:
        """Return which setting keeps this source from being pushed, empty if none does."""

    def target(self) -> str:
        """Return where the provider is to send."""

    def streams(self, state: Row) -> list[str]:
        """Return the streams of a sync state that need a subscription, in order."""

    def register(self, client: GoogleClient, row: Row, token: str) -> Registration:
        """Ask the provider to push; raises pipeline.errors."""

    def stop(self, client: GoogleClient, row: Row) -> None:
        """Ask the provider to stop; raises pipeline.errors."""


def target_of(kind: Kind) -> str:
    """Return where subscriptions of `kind` must send to be of use; empty: there must be none."""
    return "" if kind.why_not() else kind.target()


def why_no_address() -> str:
    """Return why Google cannot reach our webhooks by PUBLIC_BASE_URL, empty if it can.

    https://developers.google.com/workspace/calendar/api/guides/push#requirements
    """
    url = settings().public_base_url
    if not url:
        return "PUBLIC_BASE_URL is not set, so Google has no address to push to"
    parts = urlsplit(url)
    # A sandbox on this machine has no certificate, and needs none.
    local = parts.hostname in _LOOPBACK and settings().google_api_base_url
    if parts.scheme != "https" and not local:
        return "PUBLIC_BASE_URL is not https, and Google pushes to nothing else"
    return ""


def moment_of(answer: dict[str, Any]) -> datetime:
    """Return the end that an answer names, in milliseconds since 1970, as text or number."""
    try:
        return datetime.fromtimestamp(int(answer["expiration"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC) + _UNSAID_LIFETIME
