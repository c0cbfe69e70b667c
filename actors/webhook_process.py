"""The webhook-process queue: act on what providers have pushed."""

import dramatiq

from pipeline import push
from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options


@dramatiq.actor(**actor_options("notification"))
def notification(subscription_id: str) -> None:
    """Have the user of a subscription synced.  Safe to run twice."""
    summarize(push.act_on(subscription_id))
