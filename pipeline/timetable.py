"""The schedules as people see them: when in words, what comes next, what came of the last tick."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from apscheduler.triggers.cron import CronTrigger
from cron_descriptor import FormatException, Options, get_description

from pipeline.config import env_name, settings
from pipeline.jobs.controls import Pause, pauses
from pipeline.jobs.entries import Entry
from pipeline.jobs.reading import get
from pipeline.schedules import SCHEDULES, Schedule, trigger
from pipeline.ticks import Tick, last_ticks, scope_of

_NEXT_RUNS = 5
#: How APScheduler counts the days of a week.
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule at one moment.

    `next` are the next moments, fewer if there are no more.  `result` is the run
    that the last tick sent, None if history does not have it (any more).
    """

    schedule: Schedule
    cron: str
    setting: str
    in_words: str
    zone: str
    next: list[datetime]
    last: Tick | None
    result: Entry | None
    pause: Pause | None


def timetable(now: datetime) -> list[Planned]:
    """Return every schedule of the table.  Raises RedisError."""
    ticks = last_ticks()
    paused = {pause.scope: pause for pause in pauses()}
    return [
        _planned(schedule, now, ticks.get(schedule.name), paused.get(scope_of(schedule)))
        for schedule in SCHEDULES
    ]


def overdue_seconds(planned: Planned, now: datetime) -> float:
    """Return how late the tick is that should have followed the last one, 0 if it is not.

    More than a little says that no scheduler runs.  Without a last tick nothing is
    late: the schedule may be new.  Ticks that a pause silenced count from its end on.
    """
    if planned.last is None or planned.pause is not None:
        return 0.0
    slot = planned.last.slot
    due = trigger(planned.schedule, settings()).get_next_fire_time(slot, slot)
    return max(0.0, (now - due).total_seconds()) if due else 0.0


def _planned(schedule: Schedule, now: datetime, last: Tick | None, pause: Pause | None) -> Planned:
    when = trigger(schedule, settings())
    return Planned(
        schedule=schedule,
        cron=getattr(settings(), schedule.setting),
        setting=env_name(schedule.setting),
        in_words=in_words(when),
        zone=str(when.timezone),
        next=_next(when, now),
        last=last,
        result=get(last.message_id) if last else None,
        pause=pause,
    )


def _next(when: CronTrigger, now: datetime) -> list[datetime]:
    found: list[datetime] = []
    previous = None
    while len(found) < _NEXT_RUNS:
        previous = when.get_next_fire_time(previous, previous or now)
        if previous is None:
            break
        found.append(previous)
    return found


def in_words(when: CronTrigger) -> str:
    """Return when a trigger fires, in plain words; empty if there are none for it."""
    fields = {field.name: str(field) for field in when.fields}
    fields["day_of_week"] = _with_names(fields["day_of_week"])
    order = ("second", "minute", "hour", "day", "month", "day_of_week")
    cron = " ".join(fields[name] for name in order)
    options = Options()
    options.locale_code = "en_US"
    options.use_24hour_time_format = True
    try:
        text = str(get_description(cron.removeprefix("0 "), options))
    except FormatException:
        return ""
    return text[:1].lower() + text[1:]


def _with_names(weekdays: str) -> str:
    """Return the field with names of days: their numbers mean other days to other programs."""
    return re.sub(r"(?<![\d/])[0-6](?!\d)", lambda found: _WEEKDAYS[int(found[0])], weekdays)
