"""How jobs are told: their arguments and texts redacted as on the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from pipeline.jobs.entries import Entry
from pipeline.jobs.explaining import what_holds
from pipeline.jobs.reading import LogLine, children, log_lines
from pipeline.jobs.redaction import arguments_of, masked
from pipeline.web.api.callers import Caller


class JobFailure(BaseModel):
    """Why an attempt failed."""

    error: str = Field(description="The class of the error.")
    message: str = Field(description="Empty for errors whose text may be personal.")
    reason: str = Field(description="What came of it; empty while the job will be tried again.")


class JobProgress(BaseModel):
    """How far a job says it is."""

    fraction: float = Field(ge=0, le=1)
    text: str


class Job(BaseModel):
    """One run of a job."""

    message_id: str = Field(description="Names this run.")
    job_id: str = Field(description="The same for the same work; mail addresses are masked.")
    job: str
    queue: str
    state: str = Field(description="waiting, delayed, running, completed or failed.")
    user_id: str | None
    tenant_id: str | None
    arguments: dict[str, Any] | None = Field(
        description="Ids and sources; of others only their size. None if they cannot be read."
    )
    since: datetime | None = Field(description="When it came into its state.")
    due_at: datetime | None = Field(description="When a delayed one starts.")
    enqueued_at: datetime | None
    started_at: datetime | None = Field(description="Of the latest attempt.")
    finished_at: datetime | None
    attempts: int
    deliveries: int
    deferrals: int = Field(description="How often a limit put it off.")
    deaths: int = Field(description="How many workers died under it.")
    wait_ms: int | None
    run_ms: int | None
    why: str = Field(description="Why it is delayed or waits again.")
    failure: JobFailure | None
    summary: str = Field(description="What it did.")
    progress: JobProgress | None
    correlation_id: str
    cancelling: bool = Field(description="It was asked to stop.")


class Hold(BaseModel):
    """What holds a job up."""

    kind: str
    text: str
    until: datetime | None


class JobLogLine(BaseModel):
    """One line that a job has logged."""

    at: datetime | None
    level: str
    text: str
    fields: dict[str, str]


class JobDetails(Job):
    """One run of a job, and what belongs to it."""

    worker: str
    release: str
    parent: str = Field(description="The message id of the job that sent it, empty if none did.")
    traceback: str = Field(description="Where it failed, without texts of errors.")
    holds: list[Hold] = Field(description="Why it does not run; empty if its turn will come.")
    log: list[JobLogLine] = Field(description="Its newest lines, at most 200.")
    sent: list[Job] = Field(description="Jobs that it has sent, at most 50.")
    earlier_runs: list[Job] = Field(description="Other runs of its job id.")


class JobList(BaseModel):
    """A page of jobs, the latest first; delayed ones last, those first that are due first."""

    jobs: list[Job]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")
    ids_only: list[str] = Field(
        description="Where so much waits that only job ids were looked at: `queue:state`."
    )


class JobDone(BaseModel):
    """What was done to a job."""

    action: Literal["cancelled", "asked_to_stop", "promoted", "replaying", "sent", "already_there"]
    text: str
    message_id: str = Field(description="The run to look at.")


def job_fields(entry: Entry) -> dict[str, Any]:
    """Return what is told of a job in lists."""
    failure, progress = entry.failure, entry.progress
    same = (
        *("message_id", "job", "queue", "state", "since", "due_at", "enqueued_at", "started_at"),
        *("finished_at", "attempts", "deliveries", "deferrals", "deaths", "wait_ms", "run_ms"),
        *("why", "correlation_id", "cancelling"),
    )
    return {name: getattr(entry, name) for name in same} | {
        "job_id": masked(entry.job_id),
        "user_id": masked(entry.scope("user")) or None,
        "tenant_id": entry.scope("tenant") or None,
        "arguments": None if entry.arguments is None else arguments_of(entry),
        "failure": failure
        and JobFailure(error=failure.error, message=masked(failure.message), reason=failure.reason),
        "summary": masked(entry.summary),
        "progress": progress
        and JobProgress(fraction=progress.fraction, text=masked(progress.text)),
    }


def job_of(entry: Entry) -> Job:
    """Return what is told of a job in lists."""
    return Job(**job_fields(entry))


def details_of(entry: Entry, earlier: list[Entry], caller: Caller) -> JobDetails:
    """Return everything about a job that `caller` may know."""
    sent = children(entry.message_id) if entry.children else []
    return JobDetails(
        **job_fields(entry),
        worker=entry.worker,
        release=entry.release,
        parent=entry.parent,
        traceback=entry.traceback,
        holds=[
            Hold(kind=reason.kind, text=masked(reason.text), until=reason.until)
            for reason in what_holds(entry)
        ],
        log=[_line(line) for line in log_lines(entry.message_id)],
        sent=[job_of(child) for child in sent if caller.knows(child.scope("tenant"))],
        earlier_runs=[job_of(run) for run in earlier],
    )


def _line(line: LogLine) -> JobLogLine:
    fields = {name: masked(value) for name, value in line.fields.items()}
    return JobLogLine(at=line.at, level=line.level, text=masked(line.text), fields=fields)
