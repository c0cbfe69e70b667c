"""What a provider answers when it is asked to push, and what asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from pipeline.config import settings
from pipeline.sources.base import ProviderClient
from pipeline.stores import Row

#: A registration whose end the provider does not tell is made anew after this.
_UNSAID_LIFETIME = timedelta(hours=1)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Registration:
    """What the provider promised: until when, and by which names it will call us.

    `resource_id` is its name for what is watched, or for the registration; `route`
    stands for the mailbox.  `details` are what else the row is to say.
    """

    expires_at: datetime
    resource_id: str | None = None
    route: bytes | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class Kind(Protocol):
    """How one source is pushed.

    `in_place`: asking again prolongs what there is; otherwise a registration
    has an end, and a new one takes over before.  `renew_seconds` is how often
    to ask again at least, where the provider says so.
    """

    source: str
    provider: str
    in_place: bool

    @property
    def renew_seconds(self) -> float | None:
        """See above."""

    def why_not(self) -> str:
        """Return which setting keeps this source from being pushed, empty if none does."""

    def target(self) -> str:
        """Return where the provider is to send."""

    def streams(self, state: Row) -> list[str]:
        """Return the streams of a sync state that need a subscription, in order."""

    def goes_on(self, row: Row) -> bool:  # noqa: ARG002
        """Return whether `row` is worth prolonging; a new one is better otherwise."""
        return True

    def register(self, client: ProviderClient, row: Row, token: str) -> Registration:
        """Ask the provider to push; raises pipeline.errors."""

    def stop(self, client: ProviderClient, row: Row) -> None:
        """Ask the provider to stop; raises pipeline.errors."""


def target_of(kind: Kind) -> str:
    """Return where subscriptions of `kind` must send to be of use; empty: there must be none."""
    return "" if kind.why_not() else kind.target()


def why_no_address(who: str, api_base_url: str) -> str:
    """Return why `who` cannot reach our webhooks by PUBLIC_BASE_URL, empty if it can.

    `api_base_url` is where we reach its API; empty: at its own hosts.
    https://developers.google.com/workspace/calendar/api/guides/push#requirements
    https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
    """
    url = settings().public_base_url
    if not url:
        return f"PUBLIC_BASE_URL is not set, so {who} has no address to push to"
    parts = urlsplit(url)
    # A sandbox on this machine has no certificate, and needs none.
    local = parts.hostname in _LOOPBACK and urlsplit(api_base_url).scheme != "https"
    if parts.scheme != "https" and not (local and api_base_url):
        return f"PUBLIC_BASE_URL is not https, and {who} pushes to nothing else"
    return ""


def moment_of(answer: dict[str, Any]) -> datetime:
    """Return the end that an answer names, in milliseconds since 1970, as text or number."""
    try:
        return datetime.fromtimestamp(int(answer["expiration"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC) + _UNSAID_LIFETIME
