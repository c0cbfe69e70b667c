"""What came of campaigns, counted beside the pages: of a large one that takes longer than a look.

Who looks gets what was counted last, if the new count is not there within PATIENCE_SECONDS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pymongo

from pipeline.outreach.reading import plans, stats
from pipeline.outreach.reading.plans import PlanView
from pipeline.outreach.reading.stats import Day, Stats

#: How long all that a page shows is waited for.
PATIENCE_SECONDS = 0.8
#: What takes less is counted for every look; of the rest, counting takes one part in so many.
_SHORT_SECONDS, _IDLE_SHARE = 0.1, 10
_MOST_SECONDS = 60.0
#: So many are counted at once: MongoDB has more to do.
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Figures:
    """The newest plan with who is where and what came of each step, and the sums of all."""

    plan: PlanView | None
    total: Stats
    days: Sequence[Day]


class Counted:
    """The figures of one campaign, whoever looks."""

    def __init__(self, tenant_id: str, campaign_id: str) -> None:
        self._whose = tenant_id, campaign_id
        self._lock = threading.Lock()
        self._running: threading.Event | None = None
        self._figures: Figures | None = None
        self._error: Exception | None = None
        self._due_at = 0.0

    def begin(self) -> threading.Event | None:
        """Have them counted, unless they just were; return what tells when they are."""
        with self._lock:
            if self._running is None and time.monotonic() >= self._due_at:
                self._running = threading.Event()
                threading.Thread(target=self._count, name="figures", daemon=True).start()
            return self._running

    def get(self, until: float) -> Figures | None:
        """Return them; None if they were never counted, and are not by `until` (monotonic).

        Raises what counting them raised.
        """
        running = self.begin()
        if running is not None:
            running.wait(max(0.0, until - time.monotonic()))
        with self._lock:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return self._figures

    def _count(self) -> None:
        began, found, failed = time.monotonic(), None, None
        try:
            with _AT_ONCE, pymongo.timeout(_MOST_SECONDS):
                began = time.monotonic()
                found = _counted(*self._whose)
        except Exception as error:  # noqa: BLE001 - raised to who asks
            failed = error
        took = time.monotonic() - began
        with self._lock:
            self._figures, self._error = found or self._figures, failed
            self._due_at = time.monotonic() + (took * _IDLE_SHARE if took > _SHORT_SECONDS else 0)
            running, self._running = self._running, None
        if running is not None:
            running.set()


def _counted(tenant_id: str, campaign_id: str) -> Figures:
    return Figures(
        plans.of_campaign(tenant_id, campaign_id),
        stats.of_campaign(tenant_id, campaign_id).total,
        stats.days(tenant_id, campaign_id),
    )


@lru_cache(maxsize=512)
def _of(tenant_id: str, campaign_id: str) -> Counted:
    return Counted(tenant_id, campaign_id)


def of_campaigns(tenant_id: str, campaign_ids: Sequence[str]) -> list[Figures | None]:
    """Return the figures of campaigns, None where they are being counted for the first time."""
    until = time.monotonic() + PATIENCE_SECONDS
    counted = [_of(tenant_id, campaign_id) for campaign_id in campaign_ids]
    for one in counted:
        one.begin()
    return [one.get(until) for one in counted]
