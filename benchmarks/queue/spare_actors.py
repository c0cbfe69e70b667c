"""An actor on each queue of the table that has no job yet, so that a worker serves them all.

`dramatiq actors benchmarks.queue.spare_actors` loads it after what runs in production.
"""

import dramatiq

from pipeline import queues
from pipeline.jobs.names import actor_options, queues_with_jobs
from pipeline.queues import QUEUES, Job


def _nothing() -> None:
    """Do nothing."""


for _queue in [queue for queue in QUEUES.values() if queue not in queues_with_jobs()]:
    _job = Job(f"spare_{_queue.name}", _queue)
    queues.add(_queue, _job)
    dramatiq.actor(_nothing, **actor_options(_job.name))
