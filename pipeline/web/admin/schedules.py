"""The Schedules page: what is sent when, what came of it, run now, pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline import dispatch
from pipeline.errors import Misconfigured
from pipeline.jobs import controls
from pipeline.schedules import Schedule, schedule_named
from pipeline.ticks import scope_of
from pipeline.timetable import timetable
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page
from pipeline.web.stores import part


def _read(visit: Visit) -> Mapping[str, Any]:
    return {"plans": part("redis", lambda: timetable(visit.now), keep="schedules")}


def _schedule(visit: Visit) -> Schedule:
    try:
        return schedule_named(visit.path["schedule"])
    except Misconfigured as error:
        raise NotFound(str(error)) from None


def _run(visit: Visit) -> Done:
    sent = dispatch.send(_schedule(visit).job)
    said = "Sent" if sent.created else "It waits or runs already"
    return Done(f"{said}: job {sent.message_id}.", {"job": sent.message_id})


def _pause(visit: Visit) -> Done:
    schedule, reason = _schedule(visit), visit.said("reason")
    controls.pause(scope_of(schedule), reason=reason, by=visit.principal.name)
    return Done(f"{schedule.name} is paused: its ticks send nothing.", {"reason": reason})


def _resume(visit: Visit) -> Done:
    schedule = _schedule(visit)
    if not controls.resume(scope_of(schedule)):
        raise Conflict(f"{schedule.name} is not paused.")
    return Done(f"{schedule.name} goes on with its next tick.")


_ONE = "/admin/schedules/{schedule:id}"
routes = [
    page("/admin/schedules", "schedules", _read, title="Schedules", seconds=5),
    action(f"{_ONE}/run", _run, name="schedule.run"),
    action(f"{_ONE}/pause", _pause, name="schedule.pause"),
    action(f"{_ONE}/resume", _resume, name="schedule.resume"),
]
