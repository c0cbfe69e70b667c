"""The data-sync queue: find who is due, and bring them up to date."""

import dramatiq

from pipeline import dispatch as jobs
from pipeline.queues import actor_options
from pipeline.sync import dispatcher, engine


@dramatiq.actor(**actor_options("dispatch"))
def dispatch() -> None:
    """Queue a sync for everyone who is due.  Safe to run twice."""
    dispatcher.queue_due(jobs.send_syncs, jobs.syncs_waiting)


@dramatiq.actor(**actor_options("sync"))
def sync(user_id: str, source: str) -> None:
    """Bring our copy of one user's source up to date.  Safe to run twice."""
    report = engine.sync(user_id, source)
    if report.again_in_seconds is not None:
        jobs.send("sync", user_id, source, delay_seconds=report.again_in_seconds)
    if report.lagging:
        jobs.send("advance_graph", user_id)
