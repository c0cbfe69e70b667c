"""The job that this thread runs: its ids, its progress, its log lines."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from pipeline.log import fields_of

#: More lines than this are not kept for one job: the newest stay.
MOST_LINES = 200
_MOST_CHARACTERS = 1000


@dataclass(slots=True)
class Current:
    """What is known of the job that runs, and what it has to say since the last beat."""

    message_id: str
    job_id: str
    attempt: int
    delivery: int
    deaths: int
    correlation_id: str
    summary: str = ""
    progress: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_LINES))

    def take_lines(self) -> list[str]:
        """Return the log lines since the last call.  Other threads may add meanwhile."""
        taken = []
        with suppress(IndexError):  # another thread may take some, too
            while True:
                taken.append(self.lines.popleft())
        return taken

    def take_progress(self) -> str:
        """Return the progress as JSON if it has changed since the last call, else nothing."""
        taken, self.progress = self.progress, ""
        return taken


_current: ContextVar[Current | None] = ContextVar("headrace_job", default=None)
#: The correlation id of a request that is being served.
_request: ContextVar[str] = ContextVar("headrace_request", default="")


def current() -> Current | None:
    """Return the job that runs in this context, or None outside of jobs."""
    return _current.get()


def begin(job: Current | None) -> None:
    """Make `job` the current one of this thread, or none."""
    _current.set(job)


@contextmanager
def correlate(correlation_id: str) -> Iterator[None]:
    """Give the jobs that are sent meanwhile, from here or threads begun here, this id."""
    token = _request.set(correlation_id)
    try:
        yield
    finally:
        _request.reset(token)


def correlation_id() -> str:
    """Return what ties together all that one tick or request causes: a new id at its beginning."""
    job = current()
    return (job.correlation_id if job else _request.get()) or secrets.token_hex(8)


def progress(fraction: float, text: str = "") -> None:
    """Say how far the current job is, from 0 to 1; it shows within seconds."""
    job = current()
    if job:
        told = {"fraction": min(1.0, max(0.0, fraction)), "text": text[:_MOST_CHARACTERS]}
        job.progress = json.dumps(told)


def summarize(text: str) -> None:
    """Say in a few words what the current job did; kept with its history."""
    job = current()
    if job:
        job.summary = text[:_MOST_CHARACTERS]


def log_line(text: str, *, level: str = "INFO", **fields: Any) -> None:
    """Add a line to the log of the current job."""
    job = current()
    if job:
        line = {"at": round(time.time() * 1000), "level": level, "text": text[:_MOST_CHARACTERS]}
        if fields:
            line["fields"] = {name: str(value)[:_MOST_CHARACTERS] for name, value in fields.items()}
        job.lines.append(json.dumps(line))


class JobLog(logging.Handler):
    """Keeps what a job logs with the job."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Add the record to the current job, without its traceback, which may hold data.

        Dramatiq's own lines say what the history says anyway, with all arguments.
        """
        if not current() or record.name.startswith("dramatiq."):
            return
        fields = fields_of(record)
        fields.pop("traceback", None)  # the history has it
        try:
            log_line(record.getMessage(), level=record.levelname, **fields)
        except (TypeError, ValueError, LookupError):
            self.handleError(record)  # as every handler does: a bad line fails no job


def keep_lines() -> None:
    """Have every log line of this process that a job writes kept with the job."""
    root = logging.getLogger()
    if not any(isinstance(handler, JobLog) for handler in root.handlers):
        root.addHandler(JobLog())
