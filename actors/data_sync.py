"""The data-sync queue: find who is due, bring them up to date, and let go who leaves."""

import dramatiq

from pipeline import dispatch as jobs
from pipeline import push
from pipeline.dead_letters import replaying
from pipeline.jobs.current import progress, summarize
from pipeline.jobs.names import actor_options
from pipeline.sync import dispatcher, engine, lanes
from pipeline.users import erasing, leaving


@dramatiq.actor(**actor_options("dispatch"))
def dispatch() -> None:
    """Queue a sync for everyone who is due, and who is leaving.  Safe to run twice."""
    summarize(str(dispatcher.queue_due()))
    leaving.queue_unfinished()


@dramatiq.actor(**actor_options("sync"))
def sync(user_id: str, source: str) -> None:
    """Bring our copy of one user's source up to date.  Safe to run twice."""
    report = engine.sync(user_id, source, progress=progress)
    summarize(report.summary)
    jobs.send_many(lanes.nudges(user_id, source, report.tenant_id, report.lagging))
    push.after_sync(report)
    report.raise_what_is_left()


@dramatiq.actor(**actor_options("disconnect"))
def disconnect(connection_id: str) -> None:
    """Do what is left of ending a connection.  Safe to run twice."""
    summarize(leaving.finish_disconnect(connection_id))


@dramatiq.actor(**actor_options("erase"))
def erase(erasure_id: str) -> None:
    """Do what is left of erasing a user.  Safe to run twice."""
    done = erasing.carry_out(erasure_id)
    summarize(", ".join(f"{count:,} {kind}" for kind, count in done.counts.items()))


@dramatiq.actor(**actor_options("replay"))
def replay(fingerprint: str, letter_id: str, tenant_id: str, by: str) -> None:
    """Run the jobs of dead letters again, a canary first.  Safe to run twice."""
    replaying.carry_on(fingerprint, letter_id, tenant_id, by)
