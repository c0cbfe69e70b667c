"""One hour of every queue, sampled every 10 s: what sparklines and charts show.

Every web process has a sampler, and together they write one series: who finds that the
present slot of time has been sampled already, leaves it at that.  The series lies in
Redis, so it is there right after a restart, and its gaps say when nobody looked.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from pipeline.jobs.reading import depths
from pipeline.queues import QUEUES
from pipeline.stores import impatience, redis_client

log = logging.getLogger(__name__)

SAMPLE_SECONDS = 10
#: One hour.
MOST_SAMPLES = 360
SAMPLES = "headrace:samples"
_TAKEN = "headrace:samples:taken"
#: How long a sampler leaves a Redis alone that does not answer.
_PAUSE_SECONDS = 30.0

#: What a sample has of a queue, in this order.
_FIELDS = ("waiting", "running", "delayed", "failed", "oldest_seconds", "ended")


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one queue at `times` (seconds since 1970), None where there is no sample.

    `ended_per_minute` counts jobs that completed or failed between two readings.
    """

    times: list[int]
    waiting: list[float | None]
    oldest_seconds: list[float | None]
    ended_per_minute: list[float | None]

    def every(self, step: int) -> Series:
        """Return one point for each `step`: the highest, which a peak does not hide behind."""
        return Series(
            self.times[step - 1 :: step],
            _highest(self.waiting, step),
            _highest(self.oldest_seconds, step),
            _highest(self.ended_per_minute, step),
        )


class Sampler:
    """A thread that samples as long as this process lives.  Nothing that goes wrong ends it."""

    def __init__(self, seconds: float = SAMPLE_SECONDS) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; once begun, this does nothing."""
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, at once unless Redis is being waited for."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None

    def _run(self) -> None:
        wait_seconds = 0.0
        while not self._stopped.wait(wait_seconds):
            wait_seconds = self._seconds - time.time() % self._seconds
            try:
                with impatience():
                    take()
            except RedisError as error:
                wait_seconds = _PAUSE_SECONDS
                log.warning("no sample of the queues", extra={"error": type(error).__name__})
            except Exception:
                wait_seconds = _PAUSE_SECONDS
                log.exception("no sample of the queues")


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Sample as long as the application lives."""
    sampler = Sampler()
    sampler.start()
    try:
        yield
    finally:
        await asyncio.to_thread(sampler.stop)


def take(at: float | None = None) -> bool:
    """Sample the slot of time that `at` (now) is in, unless that was done; return whether it was.

    Raises redis.RedisError.
    """
    slot = int((time.time() if at is None else at) // SAMPLE_SECONDS * SAMPLE_SECONDS)
    redis = redis_client()
    if not redis.set(f"{_TAKEN}:{slot}", 1, nx=True, px=2 * SAMPLE_SECONDS * 1000):
        return False
    found = {
        name: [
            *(depth.waiting, depth.running, depth.delayed, depth.failed),
            *(round(depth.oldest_seconds, 1), depth.completed_total + depth.failed_total),
        ]
        for name, depth in depths(QUEUES).items()
    }
    pipe = redis.pipeline(transaction=True)
    pipe.lpush(SAMPLES, json.dumps({"at": slot, "queues": found}, separators=(",", ":")))
    pipe.ltrim(SAMPLES, 0, MOST_SAMPLES - 1)
    pipe.execute()
    return True


def read(now: float | None = None) -> dict[str, Series]:
    """Return the last hour of every queue of the table, on one grid of times.

    Raises redis.RedisError.
    """
    raw: Any = redis_client().lrange(SAMPLES, 0, -1)
    by_slot = {at: queues for at, queues in map(_parsed, raw) if at}
    last = int((time.time() if now is None else now) // SAMPLE_SECONDS * SAMPLE_SECONDS)
    # The present slot may not be sampled yet; a gap at the end would look like a fault.
    last -= 0 if last in by_slot else SAMPLE_SECONDS
    times = [last - SAMPLE_SECONDS * back for back in range(MOST_SAMPLES - 1, -1, -1)]
    rows = [by_slot.get(at, {}) for at in times]
    return {name: _series(times, [row.get(name) for row in rows]) for name in QUEUES}


def _parsed(raw: bytes) -> tuple[int, dict[str, list[float]]]:
    """Return a sample; one that another release wrote in another way is none."""
    try:
        sample = json.loads(raw)
        queues = sample["queues"]
        whole = {name: row for name, row in queues.items() if len(row) == len(_FIELDS)}
        return int(sample["at"]), whole
    except (ValueError, LookupError, TypeError, AttributeError):
        return 0, {}


def _series(times: list[int], rows: Sequence[list[float] | None]) -> Series:
    def column(name: str) -> list[float | None]:
        at = _FIELDS.index(name)
        return [row[at] if row else None for row in rows]

    ended = column("ended")
    return Series(times, column("waiting"), column("oldest_seconds"), _per_minute(ended))


def _per_minute(totals: Sequence[float | None]) -> list[float | None]:
    """Return how fast a total grew between neighbours; a new Redis, which began anew, has none."""
    pairs = zip([None, *totals], totals, strict=False)
    return [
        (now - before) * 60 / SAMPLE_SECONDS
        if now is not None and before is not None and now >= before
        else None
        for before, now in pairs
    ]


def _highest(values: Sequence[float | None], step: int) -> list[float | None]:
    parts = (values[at : at + step] for at in range(0, len(values) - step + 1, step))
    return [max((v for v in part if v is not None), default=None) for part in parts]
