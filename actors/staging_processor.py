"""The staging-processor queue: do to mail what rules and users have asked for."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.mailbox import working


@dramatiq.actor(**actor_options("process_staging"))
def process_staging() -> None:
    """Queue a job for every mailbox in which something is due; warn users.  Safe to run twice."""
    summarize(working.queue_due())


@dramatiq.actor(**actor_options("work_mailbox"))
def work_mailbox(user_id: str, mailbox_id: str) -> None:
    """Execute what is due in one mailbox.  Safe to run twice."""
    summarize(working.work(user_id, mailbox_id))
