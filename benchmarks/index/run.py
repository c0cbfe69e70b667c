"""The steps of `headrace bench index`, in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from benchmarks.index.search import time_stores
from benchmarks.index.steps import IndexStep
from benchmarks.queue.measure import Results
from benchmarks.web.stage import Log, stage


def run(
    folder: Path, records: int, opensearch_url: str, steps: Collection[IndexStep], log: Log
) -> Results:
    """Return every measure of `steps` by name."""
    results: Results = {}
    with stage(folder, log):
        if IndexStep.SEARCH in steps:
            results |= time_stores(records, opensearch_url, log)
    return results
