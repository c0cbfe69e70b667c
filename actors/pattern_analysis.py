"""The pattern-analysis queue: find habits in what users do with their mail."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.mailbox.patterns import nightly


@dramatiq.actor(**actor_options("find_analyses"))
def find_analyses() -> None:
    """Queue an analysis of every mailbox whose night has come.  Safe to run twice."""
    summarize(nightly.queue_due())


@dramatiq.actor(**actor_options("analyze_patterns"))
def analyze_patterns(user_id: str, mailbox_id: str) -> None:
    """Bring the patterns of a mailbox to what its user does.  Safe to run twice."""
    summarize(str(nightly.carry_out(user_id, mailbox_id)))
