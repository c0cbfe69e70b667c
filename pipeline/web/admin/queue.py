"""The Queue page: one queue, its rules, its last hour and its jobs; pausing and resuming it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipeline.jobs import controls
from pipeline.jobs.looking import Seen, attempts_in_words, kept_in_words, limits_in_words, look
from pipeline.jobs.redaction import masked
from pipeline.jobs.timing import Timing, timing
from pipeline.queues import JOBS, QUEUES, Queue
from pipeline.web import samples
from pipeline.web.admin import job_list
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page
from pipeline.web.stores import part
from pipeline.words import duration, suggestion

#: Of fewer jobs than this, percentiles say little.
FEW = 50
#: How long a pause may be chosen to last; the empty one has no end.
PAUSES = (
    ("", "Until somebody resumes it"),
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "1 day"),
)
#: Points of a chart: one for each half minute.
_STEP = 3
_MOST_REASON = 200


def _read(visit: Visit) -> Mapping[str, Any]:
    queue = _queue(visit)
    now = part("redis", lambda: _look(queue), keep=f"queue {queue.name}")
    wanted = job_list.asked(visit.query, queue.name)
    seen = now.value[0] if now.value and now.ok else None
    counts = {queue.name: seen.depth} if seen else None
    return {
        "title": queue.name,
        "queue": queue,
        "now_seen": now,
        "jobs_of": [job.name for job in JOBS.values() if job.queue.name == queue.name],
        "rules": _rules(queue),
        "few": FEW,
        "pauses": PAUSES,
        **job_list.context(visit, wanted, counts),
    }


def _look(queue: Queue) -> tuple[Seen, Timing, samples.Series]:
    [seen] = look([queue.name])
    return seen, timing(queue.name), samples.read()[queue.name].every(_STEP)


def _rules(queue: Queue) -> list[tuple[str, str]]:
    return [
        ("Attempts (waits between)", attempts_in_words(queue)),
        ("At a time, per worker process", str(queue.concurrency)),
        ("Starts", limits_in_words(queue) or "not limited"),
        ("Priority (lower runs first)", str(queue.priority)),
        ("Longest attempt", duration(queue.time_limit_ms / 1000)),
        ("Keeps completed", kept_in_words(queue.keep_completed)),
        ("Keeps failed", kept_in_words(queue.keep_failed)),
    ]


def _queue(visit: Visit) -> Queue:
    name = visit.path["queue"]
    if name not in QUEUES:
        raise NotFound(f"There is no queue {name!r}{suggestion(name, QUEUES)}.")
    return QUEUES[name]


def pause_for(visit: Visit, scope: str) -> Done:
    """Pause `scope` for as long as the form says.  Raises Conflict without a reason."""
    reason, lasting = visit.said("reason")[:_MOST_REASON], visit.said("lasting")
    if not reason:
        raise Conflict("Say why: whoever looks at a pause wants to know.")
    if lasting not in dict(PAUSES):
        raise Conflict("Choose how long the pause shall last.")
    until = visit.now + timedelta(seconds=int(lasting)) if lasting else None
    controls.pause(scope, reason=reason, by=visit.principal.name, until=until)
    end = f"for {duration(float(lasting))}" if lasting else "until somebody resumes it"
    return Done(
        f"{masked(scope)} is paused {end}; what runs, goes on.",
        {"scope": masked(scope), "reason": reason, "until": until},
    )


def _pause(visit: Visit) -> Done:
    return pause_for(visit, f"queue:{_queue(visit).name}")


def _resume(visit: Visit) -> Done:
    queue = _queue(visit)
    if not controls.resume(f"queue:{queue.name}"):
        raise Conflict(f"{queue.name} is not paused (any more).")
    return Done(f"{queue.name} goes on; what has waited longest starts first.")


_ONE = "/admin/queues/{queue:id}"
routes = [
    page(_ONE, "queue", _read, title="Queue", nav="overview"),
    action(f"{_ONE}/pause", _pause, name="queue.pause"),
    action(f"{_ONE}/resume", _resume, name="queue.resume"),
]
