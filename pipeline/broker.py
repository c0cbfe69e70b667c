"""The Dramatiq broker of this process, and its middleware in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dramatiq
from dramatiq.middleware import TimeLimit

from pipeline.dead_letters import drain
from pipeline.jobs.broker import HeadraceBroker
from pipeline.middleware.context import JobContext
from pipeline.middleware.lifecycle import WorkerLifecycle
from pipeline.middleware.metrics import JobMetrics
from pipeline.middleware.outcomes import Outcomes
from pipeline.queues import QUEUES
from pipeline.stores import impatient_redis_client, per_process


def make_broker(chores: Sequence[Callable[[], object]] = ()) -> HeadraceBroker:
    """Return a broker; `chores` are what a worker does every SWEEP_SECONDS beside sweeping."""
    context = JobContext()
    made = HeadraceBroker(
        impatient_redis_client(),
        [context, JobMetrics(), TimeLimit(), WorkerLifecycle(context, chores), Outcomes()],
    )
    for name in QUEUES:
        made.declare_queue(name)
    return made


@per_process
def broker() -> HeadraceBroker:
    """Return the broker of this process; it opens no connection before the first command."""
    made = make_broker([drain])
    dramatiq.set_broker(made)
    return made
