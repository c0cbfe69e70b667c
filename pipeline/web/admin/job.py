"""The Job page: everything about one run of a job, and what can be done with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline.dead_letters import find as find_letter
from pipeline.jobs import controls
from pipeline.jobs.entries import Entry
from pipeline.jobs.explaining import Reason, what_holds
from pipeline.jobs.reading import LogLine, alive, children, find, get, log_lines, runs
from pipeline.jobs.redaction import arguments_of, masked
from pipeline.web.admin.job_actions import Act, cancel, one, promote, retry
from pipeline.web.admin.job_rows import Row, attempts_of, error_of, row_of
from pipeline.web.admin.job_story import sentence, timeline, tracebacks
from pipeline.web.admin.queue import PAUSES, pause_for
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.stores import part
from pipeline.web.templating import render

#: Levels of log lines, from the least severe on.
_LEVELS = ("INFO", "WARNING", "ERROR")
#: Scopes of a job that somebody may want to hold back while looking into it.
_PAUSABLE = ("user", "source")


@dataclass(frozen=True, slots=True)
class Seen:
    """A job with what belongs to it; `others` are other runs of its job id, newest first."""

    entry: Entry
    others: list[Row]
    holds: list[Reason]
    log: list[LogLine]
    parent: Entry | None
    children: list[Row]
    paused: set[str]


def _read(visit: Visit) -> Mapping[str, Any]:
    name = visit.path["message_id"]
    seen = part("redis", lambda: _look(name, visit.now), keep=f"job {name}")
    letter = part("mongodb", lambda: find_letter(seen.value.entry.message_id if seen.value else ""))
    found = {"seen": seen, "letter": letter, "identifier": name, "pauses": PAUSES}
    return found if seen.value is None else found | _told(seen.value, visit)


def _told(seen: Seen, visit: Visit) -> dict[str, Any]:
    entry, level = seen.entry, visit.query.get("level", "")
    readable = entry.arguments is not None
    return {
        "title": masked(entry.job_id) or entry.message_id,
        "entry": entry,
        "url": _url(entry),
        "attempts": attempts_of(entry),
        "holds": [replace(reason, text=masked(reason.text)) for reason in seen.holds],
        "shown_user": masked(entry.scope("user")),
        "parent_name": masked(seen.parent.job_id) if seen.parent else "",
        "error": error_of(entry.failure),
        "sentence": sentence(entry),
        "timeline": list(timeline(entry)),
        "tracebacks": list(tracebacks(entry)),
        "arguments": arguments_of(entry) if readable else None,
        "scopes": [masked(scope) for scope in entry.scopes],
        "pausable": _pausable(seen),
        "log": [_Line.of(line) for line in _at_least(seen.log, level)],
        "levels": _level_tabs(seen.log, level),
        "acts": _acts(entry),
    }


def _look(name: str, now: datetime) -> Seen:
    """Return a job by its message id, or its job id: then the run that is alive, or the latest.

    Raises NotFound.
    """
    entry = get(name) or next(iter(find(name)), None)
    if entry is None:
        raise NotFound(
            "There is no such job, or its history is gone: each queue keeps only its newest jobs, "
            "as its page says. Failed ones may be among the dead letters, and what a sync did is "
            "on the page of its user."
        )
    others = [alive(entry.job_id), *runs(entry.job_id, entry.queue)] if entry.job_id else []
    return Seen(
        entry,
        [row_of(run, now) for run in others if run and run.message_id != entry.message_id],
        what_holds(entry),
        log_lines(entry.message_id),
        get(entry.parent) if entry.parent else None,
        [row_of(c, now) for c in children(entry.message_id)] if entry.children else [],
        {pause.scope for pause in controls.pauses()},
    )


def _url(entry: Entry) -> str:
    return f"/admin/jobs/{segment(entry.message_id)}"


def _pausable(seen: Seen) -> list[dict[str, Any]]:
    """Return the scopes of the job that can be paused, or are."""
    values = ((kind, seen.entry.scope(kind)) for kind in _PAUSABLE)
    return [
        {"kind": kind, "name": masked(value), "paused": f"{kind}:{value}" in seen.paused}
        for kind, value in values
        if value
    ]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the log as it is shown."""

    at: datetime | None
    level: str
    text: str
    fields: str

    @classmethod
    def of(cls, line: LogLine) -> _Line:
        fields = " ".join(f"{name}={masked(value)}" for name, value in line.fields.items())
        return cls(line.at, line.level, masked(line.text), fields)

    @property
    def kind(self) -> str:
        return {"WARNING": "warn", "ERROR": "bad", "CRITICAL": "bad"}.get(self.level, "idle")


def _at_least(lines: Sequence[LogLine], level: str) -> list[LogLine]:
    """Return the lines that are at least as severe as `level`; all if that is none."""
    if level not in _LEVELS[1:]:
        return list(lines)
    severe = {*_LEVELS[_LEVELS.index(level) :], "CRITICAL"}
    return [line for line in lines if line.level in severe]


def _level_tabs(lines: Sequence[LogLine], level: str) -> list[dict[str, Any]]:
    labels = {"": "All lines", "WARNING": "Warnings and errors", "ERROR": "Errors"}
    current = level if level in labels else ""
    return [
        {
            "label": label,
            "href": f"?level={of}" if of else "?",
            "current": of == current,
            "count": len(_at_least(lines, of)),
        }
        for of, label in labels.items()
    ]


def _acts(entry: Entry) -> list[dict[str, Any]]:
    """Return the actions that its state allows."""
    start: dict[str, Any] = {
        "name": "promote",
        "label": "Start now",
        "confirm": "",
        "danger": False,
    }
    again: dict[str, Any] = {"name": "retry", "label": "Retry", "confirm": "", "danger": False}
    stop: dict[str, Any] = {
        "name": "cancel",
        "label": "Ask it to stop" if entry.state == "running" else "Cancel job",
        "confirm": "Cancel this job? It is not tried again, and there will be no dead letter.",
        "danger": True,
    }
    fitting = {"waiting": [stop], "running": [stop], "delayed": [start, stop], "failed": [again]}
    return fitting.get(entry.state, [])


def _acting(act: Act) -> Any:
    def perform(visit: Visit) -> Done:
        return Done(one(visit.path["message_id"], act, visit.principal.name))

    return perform


def _reveal(visit: Visit) -> Done:
    """Show the arguments in full, once, to who asks; the audit has who and which job."""
    entry = get(visit.path["message_id"])
    if entry is None:
        raise NotFound("The history of this job is gone, and its arguments with it.")
    if entry.arguments is None:
        raise Conflict("The arguments of this job cannot be read.")
    text = json.dumps(arguments_of(entry, reveal=True), indent=2, ensure_ascii=False)
    html = render("admin/_revealed.html", text=text, who=visit.principal.name)
    return Done("Revealed.", {"job": entry.job}, html=html)


def _scope(visit: Visit) -> str:
    """Return the scope of the job that a form names by its kind.  Raises NotFound, Conflict."""
    entry, kind = get(visit.path["message_id"]), visit.said("kind")
    if entry is None:
        raise NotFound("The history of this job is gone.")
    value = entry.scope(kind) if kind in _PAUSABLE else ""
    if not value:
        raise Conflict(f"The job has no {kind or 'such scope'} to pause.")
    return f"{kind}:{value}"


def _pause(visit: Visit) -> Done:
    return pause_for(visit, _scope(visit))


def _resume(visit: Visit) -> Done:
    scope = _scope(visit)
    if not controls.resume(scope):
        raise Conflict(f"{masked(scope)} is not paused (any more).")
    return Done(f"{masked(scope)} goes on.", {"scope": masked(scope)})


_ONE = "/admin/jobs/{message_id:id}"
routes = [
    page(_ONE, "job", _read, title="Job", nav="jobs"),
    action(f"{_ONE}/promote", _acting(promote), name="job.promote"),
    action(f"{_ONE}/cancel", _acting(cancel), name="job.cancel"),
    action(f"{_ONE}/retry", _acting(retry), name="job.retry"),
    action(f"{_ONE}/reveal", _reveal, name="job.reveal"),
    action(f"{_ONE}/pause", _pause, name="job.pause"),
    action(f"{_ONE}/resume", _resume, name="job.resume"),
]
