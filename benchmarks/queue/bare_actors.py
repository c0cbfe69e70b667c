"""Bare Dramatiq: the stock broker, its default middleware, one actor.

What `dramatiq benchmarks.queue.bare_actors:broker` loads.  The broker is not
made the global one, so that it can live in a process beside ours.
"""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.queue.gate import wait_at_gate
from pipeline.config import settings

QUEUE = "bare"

broker = RedisBroker(url=settings().redis_url.get_secret_value())


@dramatiq.actor(queue_name=QUEUE, broker=broker)
def bare_noop(user_id: str, item: str) -> None:
    """Do nothing."""


wait_at_gate()
