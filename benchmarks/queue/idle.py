"""What a worker process costs that has nothing to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.queue.load import PROCESSES
from benchmarks.queue.measure import Results, measured
from benchmarks.queue.stage import Stage
from benchmarks.queue.workers import Workers, cpu_seconds, dramatiq, running
from pipeline import embedded
from pipeline.clients.keyring import new_key
from pipeline.jobs import layout

TARGET_PERCENT = 3.0

_START_SECONDS = 60
_WARM_UP_SECONDS = 10.0


def idle(stage: Stage, seconds: float) -> Results:
    """Watch workers that serve all queues, on which there is nothing."""
    stage.empty()
    with _idlers(stage) as workers:
        time.sleep(min(_WARM_UP_SECONDS, seconds))
        stage.log(f"watching idle workers for {seconds:.0f} s")
        before = {process: cpu_seconds(process) for process in workers.all()}
        redis_before, begun = stage.redis_cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begun
        shares = [100 * (cpu_seconds(each) - used) / took for each, used in before.items()]
        redis_share = 100 * (stage.redis_cpu_seconds() - redis_before) / took
    return {
        "idle_worker_process_percent_of_a_core": measured(
            [max(shares)], digits=1, at_most=TARGET_PERCENT
        ),
        "idle_redis_percent_of_a_core": measured([redis_share], digits=1),
    }


@contextmanager
def _idlers(stage: Stage) -> Iterator[Workers]:
    """Run what runs in production, which needs MongoDB too."""
    stage.log("starting MongoDB")
    command = dramatiq("actors", "benchmarks.queue.spare_actors")
    with embedded.start(stage.new_folder(), ["mongodb"]) as mongodb:
        settings = {**mongodb.settings, "ENCRYPTION_KEYS": new_key()}
        with running([command], stage.log_file("actors"), **settings) as workers:
            workers.wait_until(
                lambda: stage.redis.zcard(layout.WORKERS) == PROCESSES, "workers", _START_SECONDS
            )
            yield workers
