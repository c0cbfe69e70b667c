"""`python scheduler.py`: turns the schedule table into jobs.  Sends, does no work.

Any number may run: a tick is sent by whoever writes its mark in Redis first.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from redis.exceptions import RedisError

from pipeline import dispatch
from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.fleet_metrics import serve
from pipeline.schedules import SCHEDULES, Schedule, trigger
from pipeline.startup import prepare
from pipeline.stores import redis_client

log = logging.getLogger("headrace.scheduler")

#: How long the mark of a sent tick stays: longer than any two schedulers' clocks differ.
TICK_MARK_SECONDS = 3600
_BY_NAME = {schedule.name: schedule for schedule in SCHEDULES}


def emit(schedule: Schedule, slot: datetime) -> bool:
    """Send the job of `schedule` for the tick at `slot`, unless another scheduler did.

    A tick that cannot be sent is dropped: the next one finds the same work.
    """
    mark = f"headrace:tick:{schedule.name}:{slot.astimezone(UTC).isoformat()}"
    try:
        if not redis_client().set(mark, "1", nx=True, ex=TICK_MARK_SECONDS):
            return False
        dispatch.send(schedule.job)
    except RedisError as error:
        log.error(
            "tick not sent", extra={"schedule": schedule.name, "reason": type(error).__name__}
        )
        return False
    return True


class EmitExecutor(BaseExecutor):
    """Sends at once, in the scheduler's thread, and knows the tick's nominal time."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        emit(_BY_NAME[job.id], run_times[-1])
        self._run_job_success(job.id, [])


def build() -> BackgroundScheduler:
    """Return a scheduler with every schedule of the table.  Raises Misconfigured."""
    made = BackgroundScheduler(
        executors={"default": EmitExecutor()},
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        timezone=UTC,
    )
    for schedule in SCHEDULES:
        when = trigger(schedule, settings())
        made.add_job(dispatch.send, when, args=[schedule.job], id=schedule.name)
    return made


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    prepare("scheduler")
    try:
        scheduler = build()
    except Misconfigured as error:
        sys.exit(f"headrace scheduler does not start. {error}")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stop.set())
    serve()
    scheduler.start()
    # The first look at what is due need not wait for the next minute.
    now = datetime.now(UTC)
    for schedule in SCHEDULES:
        emit(schedule, now)
    log.info("scheduler runs", extra={"schedules": len(SCHEDULES)})
    stop.wait()
    scheduler.shutdown(wait=False)


if __name__ == "__main__":
    main()
