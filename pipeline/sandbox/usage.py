"""Who called what, how it was answered and what it cost."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any


class Usage:
    """Counters in memory, by API, method, user and status code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str, int], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, api: str, method: str, user: str, code: int, units: int) -> None:
        with self._lock:
            count = self._counts[api, method, user, code]
            count[0] += 1
            count[1] += units

    def listed(self) -> list[dict[str, Any]]:
        """One row per API, method, user and code: `calls` and quota `units`."""
        names = ("api", "method", "user", "code")
        with self._lock:
            rows = [(*key, *count) for key, count in sorted(self._counts.items())]
        return [dict(zip((*names, "calls", "units"), row, strict=True)) for row in rows]

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()
