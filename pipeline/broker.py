"""The Dramatiq broker of this process, and its middleware in order."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import ShutdownNotifications, TimeLimit
from dramatiq.middleware.retries import Retries

from pipeline.middleware.metrics import JobMetrics
from pipeline.queues import QUEUES
from pipeline.stores import per_process, redis_client

#: All of the broker's keys in Redis begin with this.
NAMESPACE = "headrace"
#: Of a million commands, how many also look for the messages of dead workers.  Dramatiq's
#: default of 1,000 finds them after minutes on an idle fleet.
MAINTENANCE_CHANCE = 100_000


@per_process
def broker() -> RedisBroker:
    """Return the broker; it opens no connection before the first command."""
    made = RedisBroker(
        client=redis_client(),
        namespace=NAMESPACE,
        maintenance_chance=MAINTENANCE_CHANCE,
        middleware=[JobMetrics(), TimeLimit(), ShutdownNotifications(), Retries()],
    )
    for name in QUEUES:
        made.declare_queue(name)
    dramatiq.set_broker(made)
    return made
