"""How late a job starts that is due soon, behind many that are due much later."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.queue import load
from benchmarks.queue.measure import Results, measured
from benchmarks.queue.sides import Headrace
from benchmarks.queue.stage import Stage
from benchmarks.queue.workers import Workers, running
from pipeline import dispatch

TARGET_SECONDS = 0.5

_SOON_SECONDS = 1.0
_LATER_SECONDS = 600.0
_WAIT_SECONDS = 60


def behind_delayed(stage: Stage, side: Headrace, delayed: int, rounds: int) -> Results:
    """Delay `delayed` jobs by ten minutes, then a few, one after the other, by a second."""
    stage.empty()
    stage.log(f"delaying {delayed:,} jobs by {_LATER_SECONDS / 60:.0f} minutes")
    side.fill(load.noops(delayed), _LATER_SECONDS)
    with running(side.workers(), stage.log_file(side.name)) as workers:
        _shoot(stage, workers, "warm-up", 0)
        late = [_shoot(stage, workers, f"shot-{n}", _SOON_SECONDS) for n in range(rounds)]
    return {
        "worst_lateness_of_a_delayed_job_seconds": measured(
            [max(late)], digits=3, at_most=TARGET_SECONDS
        ),
        "lateness_of_a_delayed_job_seconds": measured(late, digits=3),
    }


def _shoot(stage: Stage, workers: Workers, shot: str, delay_seconds: float) -> float:
    """Return by how many seconds a job missed the moment at which it was due."""
    due_at = time.time() + delay_seconds
    dispatch.send(load.STAMP.name, shot, delay_seconds=delay_seconds)
    workers.wait_until(lambda: _stamp(stage, shot) is not None, shot, _WAIT_SECONDS)
    stamped = _stamp(stage, shot)
    assert stamped is not None
    return stamped - due_at


def _stamp(stage: Stage, shot: str) -> float | None:
    last: Any = stage.redis.lindex(load.STAMPS, -1)
    name, _, at = (last or "").partition(" ")
    return float(at) if name == shot else None
