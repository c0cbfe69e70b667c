"""The steps of `headrace bench index`, in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from benchmarks.index import mail
from benchmarks.index.beside_ai import time_syncs
from benchmarks.index.search import time_stores
from benchmarks.index.steps import IndexStep
from benchmarks.queue.measure import Results
from benchmarks.web.stage import Log, stage


def run(
    folder: Path,
    records: int,
    mails: int,
    opensearch_url: str,
    steps: Collection[IndexStep],
    log: Log,
) -> Results:
    """Return every measure of `steps` by name."""
    results: Results = {}
    with stage(folder, log, mail.SETTINGS) as here:
        if IndexStep.SEARCH in steps:
            results |= time_stores(records, opensearch_url, log)
        if IndexStep.EMAIL in steps:
            results |= mail.time_mail(here, mails)
        if IndexStep.AI in steps:
            results |= time_syncs(here)
    return results
