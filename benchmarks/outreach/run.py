"""The steps of `headrace bench outreach`, in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from benchmarks.outreach import people
from benchmarks.outreach.campaign import time_campaign
from benchmarks.outreach.lateness import time_lateness
from benchmarks.outreach.posting import Poster
from benchmarks.outreach.steps import OutreachStep
from benchmarks.queue.measure import Results
from benchmarks.web.stage import Log, stage


def run(
    folder: Path, contacts: int, timers: int, steps: Collection[OutreachStep], log: Log
) -> Results:
    """Return every measure of `steps` by name."""
    results: Results = {}
    poster = Poster()
    settings = people.SETTINGS | {"SENDGRID_WEBHOOK_PUBLIC_KEYS": poster.public_key}
    with stage(folder, log, settings) as here:
        if OutreachStep.LATENESS in steps:
            results |= time_lateness(here, timers)
        if OutreachStep.CAMPAIGN in steps:
            results |= time_campaign(here, contacts, poster)
    return results
