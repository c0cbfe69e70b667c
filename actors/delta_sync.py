"""The delta-sync queue: bring mailboxes up to date, and observe what happened in them."""

import dramatiq

from pipeline import dispatch as jobs
from pipeline import push
from pipeline.jobs.current import progress, summarize
from pipeline.jobs.names import actor_options
from pipeline.mailbox import mailboxes, observing
from pipeline.sync import dispatcher, engine, lanes
from pipeline.words import counted


@dramatiq.actor(**actor_options("dispatch_mailboxes"))
def dispatch_mailboxes() -> None:
    """Queue a sync for every mailbox that is due.  Safe to run twice."""
    summarize(str(dispatcher.queue_due(lanes.MAIL)))


@dramatiq.actor(**actor_options("delta_sync"))
def delta_sync(user_id: str, source: str, mailbox_id: str) -> None:  # noqa: ARG001
    """Bring our copy of one mailbox up to date.  Safe to run twice."""
    report = engine.sync(user_id, source, progress=progress)
    summarize(report.summary)
    jobs.send_many(lanes.nudges(user_id, source, report.tenant_id, report.lagging))
    push.after_sync(report)
    if report.outcome == "needs_reauth" and report.error is not None:
        mailboxes.lost(user_id, report.error["message"])
    report.raise_what_is_left()


@dramatiq.actor(**actor_options("observe_mailbox"))
def observe_mailbox(user_id: str, mailbox_id: str) -> None:
    """Turn what landed of a mailbox into events and matches of rules.  Safe to run twice."""
    observed = observing.observe(user_id, mailbox_id)
    events = counted(observed.events.total(), "event")
    summarize(f"{counted(observed.records, 'record')}, {events}, {observed.planned} met a rule")
