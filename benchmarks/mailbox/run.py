"""The steps of `headrace bench mailbox`, in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pymongo import monitoring

from benchmarks.mailbox import analysis, idle, push
from benchmarks.mailbox.steps import MailboxStep
from benchmarks.queue.measure import Results
from benchmarks.web.stage import Log, stage


def run(
    folder: Path,
    mailboxes: int,
    per_second: float,
    events: int,
    rounds: int,
    steps: Collection[MailboxStep],
    log: Log,
) -> Results:
    """Return every measure of `steps` by name."""
    results: Results = {}
    commands = idle.Commands()
    monitoring.register(commands)  # before the client is made
    with stage(folder, log) as here:
        if MailboxStep.IDLE in steps:
            log("counting what an idle sync asks")
            results |= idle.count_idle(here.sandbox, commands)
        if MailboxStep.ANALYSIS in steps:
            log(f"making a mailbox with {events:,} events, and analyzing it")
            results |= analysis.time_analysis(events, rounds, log)
        if MailboxStep.PUSH in steps:
            log(f"connecting {mailboxes:,} mailboxes")
            results |= push.time_pushes(here, mailboxes, per_second)
    return results
