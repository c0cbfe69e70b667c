"""The steps of `headrace bench web`, in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from benchmarks.queue.measure import Results
from benchmarks.web import fleet, pages, push, webhooks
from benchmarks.web.stage import Log, stage
from benchmarks.web.steps import WebStep
from pipeline.stores import redis_client


def run(
    folder: Path, users: int, jobs: int, rounds: int, steps: Collection[WebStep], log: Log
) -> Results:
    """Return every measure of `steps` by name; first what needs workers, and few users."""
    results: Results = {}
    with stage(folder, log) as here:
        if WebStep.PUSH in steps:
            log("measuring push")
            results |= push.time_pushes(here, users=40)
        if {WebStep.WEBHOOKS, WebStep.PAGES} & set(steps):
            redis_client().flushdb()
            log(f"making {users:,} users, and {jobs:,} jobs that wait")
            fleet.fill(users, jobs)
        if WebStep.WEBHOOKS in steps:
            log("measuring webhooks")
            results |= webhooks.time_webhooks(here, rounds)
        if WebStep.PAGES in steps:
            log("measuring pages")
            results |= pages.time_pages(here, rounds)
    return results
