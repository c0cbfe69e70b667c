"""What is done to a user: sync now, pause, deactivate, disconnect, erase."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from models import SyncState
from pipeline.jobs.redaction import masked
from pipeline.stores import collection
from pipeline.users import acting as users
from pipeline.users import activity, erasing, leaving
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import Payload, UserId, acting, stores
from pipeline.web.api.problems import documented
from pipeline.web.api.users import Source, Writes, check_sources, known_user

router = APIRouter(
    prefix="/users",
    tags=["users"],
    responses=documented(404, 409),
    dependencies=[stores("mongodb", "redis")],
)

_YEAR_SECONDS = 365 * 86_400
Provider = Literal["google", "microsoft"]


class SyncWanted(Payload):
    """What to sync."""

    sources: list[Source] | None = Field(
        default=None, min_length=1, max_length=20, description="Without it: all that are connected."
    )
    full: bool = Field(
        default=False, description="List everything anew instead of what changed; deletes nothing."
    )


class SyncQueued(BaseModel):
    """One sync that was asked for."""

    source: str
    job_id: str
    message_id: str = Field(description="Its run, of which `GET /jobs/{job}` tells more.")
    created: bool = Field(description="False if it waits, is delayed or runs already.")


class SyncsQueued(BaseModel):
    """The syncs that were asked for."""

    syncs: list[SyncQueued]
    left_out: list[str] = Field(
        description="Of those meant: sources that wait for the user, or are paused."
    )


class PauseWanted(Payload):
    """Why, and for how long."""

    reason: str = Field(default="", max_length=500)
    lasts_seconds: int | None = Field(
        default=None, ge=1, le=_YEAR_SECONDS, description="Without it: until it is resumed."
    )


class Paused(BaseModel):
    """What is in force."""

    until: datetime | None = Field(description="None: until it is resumed.")


class Resumed(BaseModel):
    """What was done."""

    was_paused: bool


class ActivitySet(BaseModel):
    """What was done."""

    was_active: bool


class Leaving(BaseModel):
    """What goes on by itself."""

    message_id: str | None = Field(
        description="The job that does the rest; None if it is queued as soon as Redis answers."
    )


@router.post("/{user_id:id}/syncs", status_code=202)
def sync_user(
    request: Request,
    caller: Annotated[Caller, allowed("syncs:write")],
    user_id: UserId,
    wanted: Annotated[SyncWanted, Body(default_factory=SyncWanted)],
) -> SyncsQueued:
    """Sync a user now.  Asked for again meanwhile, the answer names the same jobs."""
    known_user(caller, user_id)
    check_sources("sources", wanted.sources)
    asked = ", ".join(wanted.sources or ())
    action = "user.resync" if wanted.full else "user.sync"
    with acting(request, caller, action, f"user {user_id}", sources=asked):
        queued = users.sync_now(user_id, wanted.sources, full=wanted.full)
    connected = collection(SyncState).distinct("source", {"user_id": user_id})
    meant = set(connected if wanted.sources is None else wanted.sources)
    return SyncsQueued(
        syncs=[
            SyncQueued(
                source=one.source,
                job_id=masked(one.job_id),
                message_id=one.message_id,
                created=one.created,
            )
            for one in queued
        ],
        left_out=sorted(meant - {one.source for one in queued}),
    )


@router.post("/{user_id:id}/pause")
def pause_user(
    request: Request,
    caller: Writes,
    user_id: UserId,
    wanted: Annotated[PauseWanted, Body(default_factory=PauseWanted)],
) -> Paused:
    """Let nothing of a user start; what runs, goes on.  Replaces a pause that is there."""
    known_user(caller, user_id)
    lasts = wanted.lasts_seconds
    until = None if lasts is None else datetime.now(UTC) + timedelta(seconds=lasts)
    with acting(request, caller, "user.pause", f"user {user_id}", reason=wanted.reason):
        users.pause(user_id, reason=wanted.reason, by=caller.actor, until=until)
    return Paused(until=until)


@router.post("/{user_id:id}/resume")
def resume_user(request: Request, caller: Writes, user_id: UserId) -> Resumed:
    """End the pause of a user."""
    known_user(caller, user_id)
    with acting(request, caller, "user.resume", f"user {user_id}"):
        was_paused = users.resume(user_id)
    return Resumed(was_paused=was_paused)


@router.post("/{user_id:id}/deactivate")
def deactivate_user(request: Request, caller: Writes, user_id: UserId) -> ActivitySet:
    """Stop all that is done for a user: syncs, rules, whatever is learned.  The copy stays."""
    known_user(caller, user_id)
    with acting(request, caller, "user.deactivate", f"user {user_id}"):
        was_active = activity.deactivate(user_id, caller.actor)
    return ActivitySet(was_active=was_active)


@router.post("/{user_id:id}/activate")
def activate_user(request: Request, caller: Writes, user_id: UserId) -> ActivitySet:
    """Have all go on that stopped when a user was deactivated."""
    known_user(caller, user_id)
    with acting(request, caller, "user.activate", f"user {user_id}"):
        was_active = not activity.activate(user_id, caller.actor)
    return ActivitySet(was_active=was_active)


@router.delete("/{user_id:id}/connections/{provider}", status_code=202)
def disconnect_user(
    request: Request, caller: Writes, user_id: UserId, provider: Provider
) -> Leaving:
    """Stop every sync and push of a connection; a job then revokes the grant.  The copy stays."""
    known_user(caller, user_id)
    with acting(request, caller, "user.disconnect", f"user {user_id}", provider=provider):
        message_id = leaving.begin_disconnect(user_id, provider, caller.actor)
    return Leaving(message_id=message_id or None)


@router.delete("/{user_id:id}", status_code=202)
def erase_user(request: Request, caller: Writes, user_id: UserId) -> Leaving:
    """Erase a user from every store, and revoke what was granted; a job does it.

    From now on nothing new is kept.  Until it is done the user is told as `erasing`.
    """
    known_user(caller, user_id)
    with acting(request, caller, "user.erase", f"user {user_id}"):
        message_id = erasing.begin_erase(user_id, caller.actor)
    return Leaving(message_id=message_id or None)
