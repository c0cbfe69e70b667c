"""The schedule table: which job is sent when."""

from __future__ import annotations

from dataclasses import dataclass

from apscheduler.triggers.cron import CronTrigger

from pipeline.config import Settings
from pipeline.errors import Misconfigured
from pipeline.queues import queue_of


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job, and the setting that says when it is sent."""

    name: str
    job: str
    setting: str


SCHEDULES = (
    Schedule("dispatch", "dispatch", "cron_dispatch"),
    Schedule("sweep", "sweep", "cron_sweep"),
)


def trigger(schedule: Schedule, settings: Settings) -> CronTrigger:
    """Return the trigger of `schedule`, in UTC.

    Raises Misconfigured for a job that does not exist or a cron that cannot be read.
    """
    queue_of(schedule.job)
    cron = getattr(settings, schedule.setting)
    try:
        return CronTrigger.from_crontab(cron, timezone="UTC")
    except ValueError as error:
        raise Misconfigured(
            f"{schedule.setting.upper()}={cron!r}: {error}; expected five cron fields"
        ) from None
