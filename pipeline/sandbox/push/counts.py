"""What became of every notification since the sandbox started: counters for tests and demos."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What happened to a notification, or to one attempt at it."""

    #: It was answered as received.
    SENT = "sent"
    #: An attempt failed; there will be another.
    RETRIED = "retried"
    #: The last attempt failed, or the answer allows no other.
    FAILED = "failed"
    #: A fault keeps it back for a while.
    DELAYED = "delayed"
    #: A fault swallowed it.
    LOST = "lost"
    #: It was more than Gmail tells of one mailbox.
    DROPPED = "dropped"
    #: Its watch had expired by then.
    EXPIRED = "expired"


class Counts:
    """Counters in memory, by API, user and outcome."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, Outcome]] = Counter()

    def add(self, api: str, user: str, outcome: Outcome, count: int = 1) -> None:
        with self._lock:
            self._counts[api, user, outcome] += count

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            found = sorted(self._counts.items())
        names = ("api", "user", "outcome", "count")
        return [dict(zip(names, (*key, count), strict=True)) for key, count in found if count]

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()
