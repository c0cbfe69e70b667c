"""The webhook-renewal queue: keep what providers push alive."""

import dramatiq

from pipeline import push
from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options


@dramatiq.actor(**actor_options("renew_subscriptions"))
def renew_subscriptions() -> None:
    """Find the subscriptions that need something.  Safe to run twice."""
    summarize(push.renew_subscriptions())


@dramatiq.actor(**actor_options("subscribe"))
def subscribe(user_id: str, source: str) -> None:
    """Bring a user's subscriptions to what they should be.  Safe to run twice."""
    summarize(push.subscribe(user_id, source))
