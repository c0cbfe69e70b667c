"""`python scheduler.py`: turns the schedule table into jobs.  Sends, does no work.

Any number may run: each tick is sent once, by whoever comes first.
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from redis.exceptions import RedisError

from pipeline.config import settings
from pipeline.dead_letters import drain
from pipeline.fleet_metrics import serve
from pipeline.jobs.pump import Janitor
from pipeline.schedules import SCHEDULES, Schedule, schedule_named, trigger
from pipeline.startup import prepare
from pipeline.ticks import send_tick

log = logging.getLogger("headrace.scheduler")

#: How often the clock is looked at, and what could not be sent is tried again.
LOOK_SECONDS = 5.0


class Ticks(BaseExecutor):
    """Sends at once, in the scheduler's thread, and knows each tick's nominal time.

    `unsent` has the newest tick of each schedule that Redis did not take.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unsent: dict[str, datetime] = {}

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        schedule, _ = job.args
        job.func(schedule, run_times[-1])
        self._run_job_success(job.id, [])

    def send(self, schedule: Schedule, slot: datetime) -> bool:
        """Send a tick; return whether this was the scheduler that did."""
        try:
            sent = send_tick(schedule, slot)
        except RedisError as error:
            self.unsent[schedule.name] = max(slot, self.unsent.get(schedule.name, slot))
            fields = {"schedule": schedule.name, "reason": type(error).__name__}
            log.error("tick not sent; tried again", extra=fields)
            return False
        if self.unsent.get(schedule.name) == slot:
            del self.unsent[schedule.name]
        return sent.created

    def send_again(self) -> None:
        """Try the ticks again that could not be sent."""
        for name, slot in list(self.unsent.items()):
            self.send(schedule_named(name), slot)


def build(ticks: Ticks) -> BackgroundScheduler:
    """Return a scheduler with every schedule of the table.  Raises Misconfigured."""
    made = BackgroundScheduler(
        executors={"default": ticks},
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        timezone=UTC,
    )
    for schedule in SCHEDULES:
        when = trigger(schedule, settings())
        # The second argument is the time of the tick, which only the executor knows.
        made.add_job(ticks.send, when, args=[schedule, None], id=schedule.name)
    return made


def follow_clock(scheduler: BackgroundScheduler, now: datetime) -> None:
    """Have every schedule wait for its next tick by the clock as it is now.

    Without this, a clock that was ahead and is set right would silence a schedule
    for as long as it was ahead, and after a jump forward the next tick would be late.
    """
    for job in scheduler.get_jobs():
        due = job.trigger.get_next_fire_time(None, now)
        if due and job.next_run_time and job.next_run_time > due:
            job.modify(next_run_time=due)
    scheduler.wakeup()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    prepare("scheduler")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stop.set())
    serve()
    ticks = Ticks()
    scheduler = build(ticks)
    scheduler.start()
    # Workers do this too; without any, or all of them gone, somebody must.
    janitor = Janitor([drain])
    janitor.start()
    # The first look at what is due need not wait for the next minute.
    for schedule in SCHEDULES:
        ticks.send(schedule, datetime.now(UTC))
    log.info("scheduler runs", extra={"schedules": len(SCHEDULES)})
    while not stop.wait(LOOK_SECONDS):
        follow_clock(scheduler, datetime.now(UTC))
        ticks.send_again()
    janitor.stop()
    scheduler.shutdown(wait=False)


if __name__ == "__main__":
    main()
