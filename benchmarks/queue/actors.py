"""Our side: what `dramatiq benchmarks.queue.actors` loads.

The order is that of the package `actors`: the metrics folder before anything
imports prometheus_client, the broker before any actor is declared.
"""

from pipeline.worker_metrics import use_shared_folder

use_shared_folder()

import time  # noqa: E402

import dramatiq  # noqa: E402

from benchmarks.queue import load  # noqa: E402
from benchmarks.queue.gate import wait_at_gate  # noqa: E402
from pipeline.broker import broker  # noqa: E402
from pipeline.jobs.names import actor_options  # noqa: E402
from pipeline.stores import redis_client  # noqa: E402

load.add_to_table()
broker()


@dramatiq.actor(**actor_options(load.NOOP.name))
def bench_noop(user_id: str, item: str) -> None:
    """Do nothing."""


@dramatiq.actor(**actor_options(load.STAMP.name))
def bench_stamp(shot: str) -> None:
    """Say when this ran."""
    redis_client().rpush(load.STAMPS, f"{shot} {time.time()}")


wait_at_gate()
