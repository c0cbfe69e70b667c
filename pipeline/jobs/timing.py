"""How long the jobs of a queue waited and ran, over what history keeps of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.jobs import layout
from pipeline.stores import redis_client

#: The newest jobs that are looked at: some 2 ms of Redis's time.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """What half, 95 and 99 of a hundred do not exceed, in seconds; None if there are none."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the newest `jobs` that completed waited before, and ran in, their last attempt."""

    jobs: int
    wait: Spread
    run: Spread


def timing(queue: str) -> Timing:
    """Return how long the completed jobs of a queue waited and ran."""
    fields = ("wait_ms", "run_ms")
    raw: Any = redis_client().sort_ro(
        layout.of_queue(queue, "completed"),
        by="nosort",
        get=[f"{layout.job('*')}->{field}" for field in fields],
        start=0,
        num=_MOST,
        desc=True,
    )
    waits, runs = _seconds(raw[::2]), _seconds(raw[1::2])
    return Timing(len(runs), spread(waits), spread(runs))


def spread(values: Sequence[float]) -> Spread:
    """Return the percentiles by the nearest rank: each is one of the values."""
    ordered = sorted(values)

    def at(share: float) -> float | None:
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None

    return Spread(at(0.5), at(0.95), at(0.99))


def _seconds(raw: Sequence[bytes | None]) -> list[float]:
    return [int(value) / 1000 for value in raw if value and value.isdigit()]
