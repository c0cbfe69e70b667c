"""The schedule table: which job is sent when."""

from __future__ import annotations

from dataclasses import dataclass

from apscheduler.triggers.cron import CronTrigger

from pipeline.config import Settings
from pipeline.errors import Misconfigured
from pipeline.queues import job_named


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job, and the setting that says when it is sent."""

    name: str
    job: str
    setting: str


SCHEDULES = (
    Schedule("dispatch", "dispatch", "cron_dispatch"),
    Schedule("delta-sync", "dispatch_mailboxes", "cron_delta_sync"),
    Schedule("sweep", "sweep", "cron_sweep"),
    Schedule("renewal", "renew_subscriptions", "cron_renewal"),
    Schedule("staging", "process_staging", "cron_staging"),
    Schedule("token-refresh", "find_refreshes", "cron_token_refresh"),
    Schedule("pattern-analysis", "find_analyses", "cron_pattern_analysis"),
    Schedule("outreach", "promote_actions", "cron_outreach"),
    Schedule("outreach-reconcile", "reconcile_messages", "cron_outreach"),
    Schedule("outreach-deliveries", "sweep_deliveries", "cron_outreach"),
    Schedule("outreach-replies", "find_replies", "cron_outreach"),
    Schedule("ai", "find_ai", "cron_ai"),
    Schedule("email", "find_emails", "cron_email"),
)

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WITH_SECONDS = ("second", "minute", "hour", "day", "month", "day_of_week")


def schedule_named(name: str) -> Schedule:
    """Return the schedule called `name`; raises Misconfigured for one that is not in the table."""
    for schedule in SCHEDULES:
        if schedule.name == name:
            return schedule
    raise Misconfigured(
        f"there is no schedule {name!r}; the table has {', '.join(s.name for s in SCHEDULES)}"
    )


def check_schedules(settings: Settings) -> None:
    """Raise Misconfigured for a schedule whose job or cron does not resolve."""
    for schedule in SCHEDULES:
        trigger(schedule, settings)


def trigger(schedule: Schedule, settings: Settings) -> CronTrigger:
    """Return the trigger of `schedule`, in UTC.

    Raises Misconfigured for a job that does not exist or a cron that cannot be read.
    """
    job_named(schedule.job)
    cron: str = getattr(settings, schedule.setting)
    try:
        return _trigger(cron)
    except ValueError as error:
        raise Misconfigured(
            f"{schedule.setting.upper()}={cron!r}: {error}; expected five cron fields, "
            "or six that begin with seconds"
        ) from None


def _trigger(cron: str) -> CronTrigger:
    fields = cron.split()
    if len(fields) == len(_WITH_SECONDS) - 1:
        fields.insert(0, "0")
    if len(fields) != len(_WITH_SECONDS):
        raise ValueError(f"{len(fields)} fields")
    fields[-1] = ",".join(_by_name(days) for days in fields[-1].split(","))
    return CronTrigger(**dict(zip(_WITH_SECONDS, fields, strict=True)), timezone="UTC")


def _by_name(days: str) -> str:
    """Return weekdays by name: cron counts them from Sunday, APScheduler from Monday.

    https://man7.org/linux/man-pages/man5/crontab.5.html
    """
    span, _, step = days.partition("/")
    first, _, last = ("0-6" if span == "*" and step else span).partition("-")
    last = last or ("6" if step else first)
    if not (first.isdigit() and last.isdigit()):
        return days
    if not 0 <= int(first) <= int(last) < len(_WEEKDAYS):
        raise ValueError(f"no weekdays {days!r}")
    return ",".join(_WEEKDAYS[int(first) : int(last) + 1 : int(step or 1)])
