"""The steps of `headrace bench queue`, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from benchmarks.queue import idle, lateness, rates, waiting
from benchmarks.queue.bullmq import BullMQ, NotMeasured
from benchmarks.queue.measure import Results
from benchmarks.queue.sides import Bare, Headrace, Side
from benchmarks.queue.stage import Log, Stage, stage
from benchmarks.queue.steps import Size, Step


def run(
    folder: Path, size: Size, steps: Collection[Step], log: Log, *, with_bullmq: bool
) -> Results:
    """Return every measure of `steps` by name."""
    with stage(folder, log) as here:
        headrace = Headrace()
        sides: list[Side] = [Bare(), headrace]
        results: Results = {}
        if with_bullmq and {Step.RATES, Step.BULK} & set(steps):
            results = _add_bullmq(here, sides)
        measures: dict[Step, Callable[[], Results]] = {
            Step.RATES: partial(rates.one_by_one, here, sides, size.jobs, size.rounds),
            Step.BULK: partial(rates.in_bulk, here, sides, size.jobs, size.rounds),
            Step.LATENESS: partial(
                lateness.behind_delayed, here, headrace, size.waiting, size.rounds
            ),
            Step.IDLE: partial(idle.idle, here, size.idle_seconds),
            Step.MEMORY: partial(waiting.memory, here, headrace, size.waiting),
            Step.SEARCH: partial(waiting.searches, here, headrace, size.waiting, size.rounds),
        }
        for step in Step:
            if step in steps:
                log(f"measuring {step}")
                results |= measures[step]()
    return results


def _add_bullmq(here: Stage, sides: list[Side]) -> Results:
    """Add BullMQ to the sides; where it cannot run, return a row that says why."""
    here.log("installing BullMQ")
    try:
        sides.append(BullMQ(here.new_folder()))
    except NotMeasured as reason:
        return {"bullmq": {"value": f"not measured: {reason}"}}
    return {}
