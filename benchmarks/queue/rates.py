"""How many jobs per second each side enqueues and works through."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from benchmarks.queue import gate as gates
from benchmarks.queue.load import PROCESSES
from benchmarks.queue.measure import Results, measured
from benchmarks.queue.sides import Side
from benchmarks.queue.stage import Stage
from benchmarks.queue.workers import running

#: Targets, as shares of bare Dramatiq's rates, and jobs per second.
PROCESS_SHARE, ENQUEUE_SHARE, BULK_RATE = 0.75, 0.6, 15_000

_START_SECONDS = 60
_SLOWEST_RATE = 50
"""Jobs per second at which a side counts as stuck."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What working through the jobs took."""

    rate: float
    """Jobs per second, from the first start to the last end."""
    worker_cpu_us: float
    """Microseconds of processor time per job, of all worker processes."""
    redis_cpu_us: float


def one_by_one(stage: Stage, sides: Sequence[Side], jobs: int, rounds: int) -> Results:
    """Enqueue jobs one by one, then work through them; every side in each round."""
    enqueued: dict[str, list[float]] = defaultdict(list)
    worked: dict[str, list[Worked]] = defaultdict(list)
    for turn in range(rounds):
        for side in sides:
            stage.empty()
            enqueued[side.name].append(jobs / side.enqueue("one", jobs))
            worked[side.name].append(_work(stage, side, jobs))
            stage.log(
                f"round {turn + 1}, {side.name}: enqueued {enqueued[side.name][-1]:,.0f}/s, "
                f"processed {worked[side.name][-1].rate:,.0f}/s"
            )
    rates = {name: [each.rate for each in runs] for name, runs in worked.items()}
    return (
        _compared("process", rates, PROCESS_SHARE)
        | _compared("enqueue", enqueued, ENQUEUE_SHARE)
        | {
            f"{name}_{part}_us_per_job": measured([getattr(each, part + "_us") for each in runs])
            for name, runs in worked.items()
            for part in ("worker_cpu", "redis_cpu")
        }
    )


def _compared(what: str, rates: dict[str, list[float]], share: float) -> Results:
    """Return the rate of every side, and ours as a share of bare Dramatiq's."""
    ratios = [b / a for a, b in zip(rates["bare_dramatiq"], rates["headrace"], strict=True)]
    return {
        f"{what}_headrace_to_bare_dramatiq": measured(ratios, digits=2, at_least=share),
        **{f"{what}_{name}_per_second": measured(runs) for name, runs in rates.items()},
    }


def in_bulk(stage: Stage, sides: Sequence[Side], jobs: int, rounds: int) -> Results:
    """Enqueue many jobs at once, in every way that the sides have."""
    rates: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds):
        for side in sides:
            for way in side.enqueue_ways:
                if way != "one":
                    stage.empty()
                    rates[f"{way}_enqueue_{side.name}_per_second"].append(
                        jobs / side.enqueue(way, jobs)
                    )
        stage.log(f"round {turn + 1}, many at once: {_latest(rates)}")
    targets = {"bulk_enqueue_headrace_per_second": BULK_RATE}
    return {name: measured(runs, at_least=targets.get(name)) for name, runs in rates.items()}


def _latest(rates: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {runs[-1]:,.0f}" for name, runs in rates.items())


def _work(stage: Stage, side: Side, jobs: int) -> Worked:
    """Let workers, all ready at the gate, work through the jobs that wait."""
    gate = gates.Gate(stage.new_folder())
    settings = {**side.environment(), gates.VARIABLE: str(gate.folder)}
    with running(side.workers(), stage.log_file(side.name), **settings) as workers:
        workers.wait_until(lambda: gate.ready() == PROCESSES, "all ready", _START_SECONDS)
        worker_cpu, redis_cpu = workers.cpu_seconds(), stage.redis_cpu_seconds()
        clock = _Clock(side, stage.redis, jobs)
        gate.open()
        workers.wait_until(
            clock.is_done, f"{side.name} processes {jobs} jobs", jobs / _SLOWEST_RATE + 30
        )
        worker_cpu = workers.cpu_seconds() - worker_cpu
        redis_cpu = stage.redis_cpu_seconds() - redis_cpu
    if failed := side.failed(stage.redis):
        raise RuntimeError(f"{failed} jobs of {side.name} failed")
    return Worked(clock.rate(), worker_cpu / jobs * 1e6, redis_cpu / jobs * 1e6)


class _Clock:
    """Watches from outside how the jobs become fewer: the sides carry no stopwatch."""

    def __init__(self, side: Side, redis: Redis, jobs: int) -> None:
        self._side = side
        self._redis = redis
        self._jobs = jobs
        self._begun = self._ended = time.monotonic()

    def is_done(self) -> bool:
        """Look.  Time runs from the last look that finds all to the first that finds none."""
        now = time.monotonic()
        left = self._side.unfinished(self._redis)
        if left == self._jobs:
            self._begun = now
        self._ended = now
        return left == 0

    def rate(self) -> float:
        """Return jobs per second between the two."""
        return self._jobs / (self._ended - self._begun)
