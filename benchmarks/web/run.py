"""The steps of `headrace bench web`, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from benchmarks.queue.measure import Results
from benchmarks.web import fleet, pages, push, webhooks
from benchmarks.web.stage import Log, stage
from benchmarks.web.steps import WebStep


def run(
    folder: Path, users: int, jobs: int, rounds: int, steps: Collection[WebStep], log: Log
) -> Results:
    """Return every measure of `steps` by name."""
    with stage(folder, log) as here:
        if {WebStep.WEBHOOKS, WebStep.PAGES} & set(steps):
            log(f"making {users:,} users, and {jobs:,} jobs that wait")
            fleet.fill(users, jobs)
        measures: dict[WebStep, Callable[[], Results]] = {
            WebStep.WEBHOOKS: partial(webhooks.time_webhooks, here, rounds),
            WebStep.PAGES: partial(pages.time_pages, here, rounds),
            WebStep.PUSH: partial(push.time_pushes, here, users=40),
        }
        results: Results = {}
        for step in WebStep:
            if step in steps:
                log(f"measuring {step}")
                results |= measures[step]()
        return results
