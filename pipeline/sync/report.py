"""What one sync did, and what its job does next."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from models import DEFAULT_TENANT
from pipeline.errors import RateLimited, ReauthRequired, Unfinished
from pipeline.sync.landing import Counts

#: A longer wait is left to the due time and the dispatcher.
LONGEST_DELAY_SECONDS = 120.0


@dataclass(slots=True)
class SyncReport:
    """What one sync did.  `outcome` says how it ended; `lagging`: the projections with work.

    `changed_streams` are those in which something has changed since the sync
    before; `streams_changed`: a stream came or went.
    """

    user_id: str
    source: str
    tenant_id: str = DEFAULT_TENANT
    outcome: str = "not_due"
    counts: Counts = field(default_factory=Counts)
    calls: int = 0
    seconds: float = 0.0
    lagging: tuple[str, ...] = ()
    changed_streams: set[str] = field(default_factory=set)
    streams_changed: bool = False
    error: dict[str, Any] | None = None

    @property
    def again_in_seconds(self) -> float | None:
        """When the rest should be queued again: at once after a full budget, else after the
        wait for quota; None: nothing is left, or the wait is one for the due time."""
        if self.outcome == "continued":
            return 0.0
        if self.outcome != "rate_limited" or self.error is None:
            return None
        wait = float(self.error["retry_after_seconds"])
        return wait if wait <= LONGEST_DELAY_SECONDS else None

    @property
    def summary(self) -> str:
        """What was done and what comes next, in a line: "12 created, 3 updated, 4 calls"."""
        if self.outcome == "not_due":
            return "not due, busy or held"
        done = [f"{count} {name}" for name, count in asdict(self.counts).items() if count]
        text = ", ".join([*done, f"{self.calls} {'call' if self.calls == 1 else 'calls'}"])
        match self.outcome:
            case "continued":
                return f"{text}; the rest follows"
            case "rate_limited":
                assert self.error is not None
                return f"{text}; {self.error['scope']} quota: due again at {self._due_again()}"
            case "lease_lost":
                return f"{text}; another run took over"
        return text

    def _due_again(self) -> str:
        assert self.error is not None
        again = datetime.now(UTC) + timedelta(seconds=self.error["retry_after_seconds"])
        return f"{again:%Y-%m-%d %H:%M:%S} UTC"

    def raise_what_is_left(self) -> None:
        """Tell the job layer how to go on, by raising what its outcomes are named after.

        Raises Unfinished after a full budget, RateLimited for a wait that a delayed
        job may bridge, and ReauthRequired.  A user's longer wait is left to the due
        time.  Those that all users share are always raised: they pause the source,
        so that only what runs at that moment is ever delayed for so long.
        """
        if self.outcome == "continued":
            raise Unfinished
        if self.error is None:
            return
        if self.outcome == "needs_reauth":
            raise ReauthRequired(self.error["message"])
        if self.outcome != "rate_limited":
            return
        if self.again_in_seconds is not None or self.error["scope"] != "user":
            raise RateLimited(
                self.error["message"],
                retry_after_seconds=self.error["retry_after_seconds"],
                scope=self.error["scope"],
            )
