"""One run of a job as its history tells it.

Whatever lies in Redis can be read: a field that is missing or makes no sense, because an
older release or a hand wrote it, is empty here, and never an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: The fields that a list shows; `traceback` is long and only for a single job.
LISTED = (
    *("job_id", "job", "queue", "lane", "args", "state", "enqueued_at", "started_at"),
    *("finished_at", "attempts", "deliveries", "deferrals", "deaths", "wait_ms", "run_ms"),
    *("worker", "why", "error", "summary", "progress", "correlation", "parent", "children"),
    *("release", "cancel", "again"),
)
#: Control characters other than tab and line feed, and halves of characters.
_UNPRINTABLE = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0xD800, 0xE000)),
    "\N{REPLACEMENT CHARACTER}",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed.

    `message` is only of our own errors.  `reason` says what came of it, such as
    attempts_spent; it is empty while the job will be tried again.
    """

    error: str
    message: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt after which the job went on.

    `counted` is false if it was given back: put off by a limit, or its worker
    stopped or, as `died` says, was killed under it.  Then `run_ms` is None.
    """

    number: int
    started_at: datetime | None
    run_ms: int | None
    worker: str
    why: str
    failure: Failure | None
    traceback: str
    counted: bool
    died: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job says it is; `fraction` is from 0 to 1."""

    fraction: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a job.  Times are in UTC, None for what did not happen yet.

    `since` is when it came into its state, `due_at` when a delayed one starts; `started_at`,
    `wait_ms` and `run_ms` are of the latest attempt.  `attempts` have begun and count,
    `deliveries` were fetched by a worker, `deferrals` were put off by a limit, and under
    `deaths` the worker died.  `past` are attempts before the latest, as far as they are kept;
    lists of jobs leave them out.  `children` counts the jobs that it sent.
    `arguments` is None if they cannot be read.
    """

    message_id: str
    job_id: str
    job: str
    queue: str
    state: str
    scopes: tuple[str, ...]
    arguments: tuple[Any, ...] | None
    since: datetime | None
    due_at: datetime | None
    enqueued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    deliveries: int
    deferrals: int
    deaths: int
    wait_ms: int | None
    run_ms: int | None
    worker: str
    why: str
    failure: Failure | None
    traceback: str
    summary: str
    progress: Progress | None
    correlation_id: str
    parent: str
    children: int
    release: str
    cancelling: bool
    runs_again: bool
    past: tuple[Attempt, ...] = ()

    @property
    def alive(self) -> bool:
        """Return whether it waits, is delayed or runs."""
        return self.state in ("waiting", "delayed", "running")

    def scope(self, kind: str) -> str:
        """Return its value of a kind of scope, such as its user; empty if it has none."""
        found = (line.partition(":") for line in self.scopes)
        return next((value for name, _, value in found if name == kind), "")


def parse(message_id: str, fields: Mapping[str, bytes], score_ms: float | None) -> Entry:
    """Return the run that the hash `fields` tells of.

    `score_ms` is its place in the sorted set of its state: due for a delayed one, since for others.
    """
    text = {name: printable(value.decode("utf-8", "replace")) for name, value in fields.items()}
    delayed = text.get("state") == "delayed"

    def count(name: str) -> int:
        return _whole(text.get(name)) or 0

    return Entry(
        message_id=message_id,
        job_id=text.get("job_id", ""),
        job=text.get("job", ""),
        queue=text.get("queue", ""),
        state=text.get("state", ""),
        scopes=tuple(filter(None, text.get("lane", "").split("\n"))),
        arguments=_arguments(text.get("args", "[]")),
        since=None if delayed else moment(score_ms),
        due_at=moment(score_ms) if delayed else None,
        enqueued_at=moment(_whole(text.get("enqueued_at"))),
        started_at=moment(_whole(text.get("started_at"))),
        finished_at=moment(_whole(text.get("finished_at"))),
        attempts=count("attempts"),
        deliveries=count("deliveries"),
        deferrals=count("deferrals"),
        deaths=count("deaths"),
        wait_ms=_whole(text.get("wait_ms")),
        run_ms=_whole(text.get("run_ms")),
        worker=text.get("worker", ""),
        why=text.get("why", ""),
        failure=_failure(text.get("error")),
        traceback=text.get("traceback", ""),
        summary=text.get("summary", ""),
        progress=_progress(text.get("progress")),
        correlation_id=text.get("correlation", ""),
        parent=text.get("parent", ""),
        children=count("children"),
        release=text.get("release", ""),
        cancelling="cancel" in text,
        runs_again="again" in text,
        past=_past(text.get("past")),
    )


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey, or could not show."""
    return text.translate(_UNPRINTABLE)


def _whole(value: str | None) -> int | None:
    try:
        return int(float(value or ""))
    except (ValueError, OverflowError):
        return None


def moment(since_epoch_ms: float | None) -> datetime | None:
    """Return a time of Redis, in ms since the epoch, as one in UTC; None if it is none."""
    if since_epoch_ms is None:
        return None
    try:
        return datetime.fromtimestamp(since_epoch_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _decoded(value: str | None) -> Any:
    try:
        return json.loads(value or "")
    except (ValueError, RecursionError):
        return None


def _arguments(value: str) -> tuple[Any, ...] | None:
    decoded = _decoded(value)
    return tuple(decoded) if isinstance(decoded, list) else None


def _failure(value: str | None) -> Failure | None:
    if not value:
        return None
    decoded = _decoded(value)
    if not isinstance(decoded, dict):
        return Failure("(cannot be read)")
    return Failure(*(_said(decoded, name) for name in ("class", "message", "reason")))


def _past(value: str | None) -> tuple[Attempt, ...]:
    decoded = _decoded(value)
    rows = decoded if isinstance(decoded, list) else []
    return tuple(_attempt(row) for row in rows if isinstance(row, dict))


def _attempt(row: dict[str, Any]) -> Attempt:
    def number(name: str) -> int | None:
        return _whole(str(row.get(name, "")))

    return Attempt(
        number=number("number") or 0,
        started_at=moment(number("started_at")),
        run_ms=number("run_ms"),
        worker=_said(row, "worker"),
        why=_said(row, "why"),
        failure=_failure(_said(row, "error")),
        traceback=_said(row, "traceback"),
        counted=not row.get("given_back"),
        died=bool(row.get("died")),
    )


def _progress(value: str | None) -> Progress | None:
    decoded = _decoded(value)
    fraction = decoded.get("fraction") if isinstance(decoded, dict) else None
    if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        return None
    return Progress(float(fraction), _said(decoded, "text"))


def _said(decoded: dict[str, Any], name: str) -> str:
    return printable(str(decoded.get(name) or ""))
