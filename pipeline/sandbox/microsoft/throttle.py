"""How many requests one mailbox takes at once: four, and a batch's parts count too.

https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits
"""

from __future__ import annotations

import threading
from collections import Counter
from http import HTTPStatus

from pipeline.sandbox.calls import ApiError
from pipeline.sandbox.quotas import Quotas

AT_ONCE = 4
#: A slot is soon free; Graph asks for whole seconds.
_WAIT_SECONDS = 1


class Throttle:
    """The requests of each mailbox that are running; a request runs until its answer is sent."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._lock = threading.Lock()
        self._running: Counter[int] = Counter()

    def enter(self, user_n: int, wanted: int = 1) -> int:
        """Take up to `wanted` slots, and return how many were free: at most four are."""
        with self._lock:
            free = max(0, AT_ONCE - self._running[user_n])
            taken = min(wanted, free) if self._quotas.settings.quotas_enabled else wanted
            self._running[user_n] += taken
            return taken

    def leave(self, user_n: int, taken: int) -> None:
        with self._lock:
            self._running[user_n] -= taken
            if self._running[user_n] <= 0:
                del self._running[user_n]


def over_concurrency() -> ApiError:
    return ApiError(
        *(HTTPStatus.TOO_MANY_REQUESTS, "ApplicationThrottled"),
        "Application is over its MailboxConcurrency limit.",
        headers=(("retry-after", str(_WAIT_SECONDS)),),
    )
