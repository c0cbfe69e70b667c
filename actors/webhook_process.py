"""The webhook-process queue: act on what providers have pushed."""

import dramatiq

from pipeline import push
from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.outreach import events


@dramatiq.actor(**actor_options("notification"))
def notification(subscription_id: str) -> None:
    """Have the user of a subscription synced.  Safe to run twice."""
    summarize(push.act_on(subscription_id))


@dramatiq.actor(**actor_options("process_delivery"))
def process_delivery(delivery_id: str) -> None:
    """Record what a provider has told of messages.  Safe to run twice."""
    summarize(events.process(delivery_id))


@dramatiq.actor(**actor_options("sweep_deliveries"))
def sweep_deliveries() -> None:
    """Send the jobs of deliveries that have lost theirs."""
    summarize(events.sweep())
