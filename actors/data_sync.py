"""The data-sync queue: find who is due, and bring them up to date."""

import dramatiq

from pipeline import dispatch as jobs
from pipeline.jobs.current import progress, summarize
from pipeline.jobs.names import actor_options
from pipeline.sync import dispatcher, engine


@dramatiq.actor(**actor_options("dispatch"))
def dispatch() -> None:
    """Queue a sync for everyone who is due.  Safe to run twice."""
    summarize(str(dispatcher.queue_due()))


@dramatiq.actor(**actor_options("sync"))
def sync(user_id: str, source: str) -> None:
    """Bring our copy of one user's source up to date.  Safe to run twice."""
    report = engine.sync(user_id, source, progress=progress)
    summarize(report.summary)
    if report.lagging:
        jobs.send("advance_graph", user_id, tenant_id=report.tenant_id)
    report.raise_what_is_left()
