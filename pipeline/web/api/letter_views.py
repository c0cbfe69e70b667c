"""How dead letters are told: their arguments and texts redacted as on the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from pipeline.dead_letters import Group
from pipeline.jobs.entries import parse
from pipeline.jobs.redaction import arguments_of, masked
from pipeline.stores import Row
from pipeline.web.api.job_views import Job


class LetterLogLine(BaseModel):
    """One line that the job had logged."""

    at: datetime | None
    level: str
    text: str


class DeadLetter(BaseModel):
    """A job that failed for good."""

    id: str
    status: str = Field(description="open, replaying, replayed or dismissed.")
    job: str | None
    queue: str | None
    job_id: str = Field(description="Mail addresses are masked.")
    user_id: str | None
    tenant_id: str | None
    message_id: str = Field(description="The newest run that died.")
    arguments: dict[str, Any] | None = Field(description="None if they cannot be read.")
    reason: str | None
    error: str = Field(description="The class of the error.")
    error_message: str = Field(description="Empty for errors whose text may be personal.")
    traceback: str
    times: int = Field(description="How often its job has died.")
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime
    release: str | None
    replays: int
    acted_by: str | None
    acted_at: datetime | None
    dismiss_reason: str | None
    log: list[LetterLogLine]


class LetterGroup(BaseModel):
    """Dead letters of one cause, with the newest as a sample."""

    group: str = Field(description="The fingerprint of the cause.")
    letters: int
    times: int = Field(description="How often their jobs have died.")
    tenants: int
    users: int
    first_seen_at: datetime
    last_seen_at: datetime
    releases: list[str]
    sample: DeadLetter


class GroupList(BaseModel):
    """A page of groups, those that died last first."""

    groups: list[LetterGroup]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class GroupDetails(LetterGroup):
    """A group with a page of its letters, those that died last first."""

    page: list[DeadLetter]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class Replaying(BaseModel):
    """A replay that was queued, or was under way already."""

    job: Job = Field(description="The job that replays, of which `GET /jobs/{job}` tells more.")
    created: bool = Field(description="False if it was under way already.")


class Dismissed(BaseModel):
    """How many letters were dismissed."""

    dismissed: int


def letter_of(row: Row) -> DeadLetter:
    """Return what is told of a letter."""
    same = (
        *("status", "job", "queue", "tenant_id", "message_id", "reason", "traceback", "times"),
        *("attempts", "first_seen_at", "last_seen_at", "release", "replays", "acted_by"),
        *("acted_at", "dismiss_reason"),
    )
    kept: dict[str, Any] = {name: row.get(name) for name in same}
    error = row.get("error") or {}
    return DeadLetter(
        **kept,
        id=row["_id"],
        job_id=masked(row["job_id"]),
        user_id=masked(row.get("user_id") or "") or None,
        arguments=_arguments(row),
        error=error.get("class", ""),
        error_message=masked(error.get("message", "")),
        log=[
            LetterLogLine(at=line["at"], level=line["level"], text=masked(line["text"]))
            for line in row["log"]
        ],
    )


def _arguments(row: Row) -> dict[str, Any] | None:
    fields = {"job": (row["job"] or "").encode(), "args": row["args"]}
    entry = parse(row["message_id"], fields, None)
    return None if entry.arguments is None else arguments_of(entry)


def group_fields(group: Group) -> dict[str, Any]:
    """Return what is told of a group."""
    same = ("letters", "times", "tenants", "users", "first_seen_at", "last_seen_at", "releases")
    return {name: getattr(group, name) for name in same} | {
        "group": group.fingerprint,
        "sample": letter_of(group.sample),
    }
