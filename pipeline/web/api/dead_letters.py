"""Dead letters: what failed for good, by cause; replay it or dismiss it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from pipeline import dead_letters as library
from pipeline.dead_letters import Place, Wanted, replaying
from pipeline.jobs.reading import get
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import GroupName, Limit, Payload, acting, cursor, stores
from pipeline.web.api.job_views import job_of
from pipeline.web.api.letter_views import (
    Dismissed,
    GroupDetails,
    GroupList,
    LetterGroup,
    Replaying,
    group_fields,
    letter_of,
)
from pipeline.web.api.problems import Refused, documented, not_found

router = APIRouter(prefix="/dead-letters", tags=["dead letters"], dependencies=[stores("mongodb")])

Reads = Annotated[Caller, allowed("dead_letters:read")]
Writes = Annotated[Caller, allowed("dead_letters:write")]
Status = Annotated[
    Literal["open", "replaying", "replayed", "dismissed", "all"],
    Query(description="Only letters of this status."),
]
Cursor = Annotated[str | None, cursor(r"^[0-9]{1,14}-[^\x00-\x1f\x7f]+$")]


class Dismissal(Payload):
    """Why nobody needs to do anything about them."""

    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")


def _wanted(caller: Caller, status: str, group: str | None = None) -> Wanted:
    only = None if status == "all" else status
    return Wanted(only, group, tenant_id=caller.tenant_id)


def _place(text: str | None) -> Place | None:
    return Place.parsed(text) if text else None


@router.get("")
def list_groups(
    caller: Reads, status: Status = "open", cursor: Cursor = None, limit: Limit = 50
) -> GroupList:
    """List groups of dead letters of one cause, those that died last first."""
    found = library.groups(_wanted(caller, status), limit + 1, after=_place(cursor))
    groups, more = found[:limit], len(found) > limit
    return GroupList(
        groups=[LetterGroup(**group_fields(group)) for group in groups],
        next=str(groups[-1].place) if more else None,
    )


@router.get("/{group:id}", responses=documented(404))
def get_group(
    caller: Reads,
    group: GroupName,
    status: Status = "open",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> GroupDetails:
    """Tell of one group, whatever became of its letters, and list those of one status."""
    found = library.groups(_wanted(caller, "all", group), limit=1)
    if not found:
        raise not_found("such group of dead letters")
    rows = library.letters(_wanted(caller, status, group), limit + 1, after=_place(cursor))
    letters, more = rows[:limit], len(rows) > limit
    return GroupDetails(
        **group_fields(found[0]),
        page=[letter_of(row) for row in letters],
        next=str(Place(letters[-1]["last_seen_at"], letters[-1]["_id"])) if more else None,
    )


@router.post(
    "/{group:id}/replay",
    status_code=202,
    responses=documented(404, 409),
    dependencies=[stores("redis")],
)
def replay_group(
    request: Request, response: Response, caller: Writes, group: GroupName
) -> Replaying:
    """Run the jobs of a group again: first one, then ten, then the rest, until some fail again.

    A job does it, so it goes on when the web restarts; asked for again meanwhile, it
    is the same job.  What failed again stays open.
    """
    _open_letters(caller, group)
    with acting(request, caller, "dead_letters.replay", f"group {group}") as row:
        tenant_id = caller.tenant_id or ""
        sent = replaying.begin_group(group, caller.actor, tenant_id=tenant_id)
        row.details["job"] = sent.message_id
    entry = get(sent.message_id)
    if entry is None:
        raise Refused(409, "the replay has ended before it could be looked at")
    response.headers["Location"] = f"{request.scope['root_path']}/jobs/{sent.message_id}"
    return Replaying(job=job_of(entry), created=sent.created)


@router.post("/{group:id}/dismiss", responses=documented(404, 409))
def dismiss_group(
    request: Request, caller: Writes, group: GroupName, dismissal: Dismissal
) -> Dismissed:
    """Close the open letters of a group without running their jobs; they are kept for a while."""
    _open_letters(caller, group)
    with acting(request, caller, "dead_letters.dismiss", f"group {group}") as row:
        query = _wanted(caller, "open", group).query()
        dismissed = library.dismiss(query, caller.actor, dismissal.reason)
        row.details |= {"letters": dismissed, "reason": dismissal.reason}
    return Dismissed(dismissed=dismissed)


def _open_letters(caller: Caller, group: str) -> None:
    """Raise Refused 404 if there is no such group, 409 if nothing of it is open."""
    if not library.how_many(_wanted(caller, "all", group)):
        raise not_found("such group of dead letters")
    waiting = ("open", "replaying")
    if not any(library.how_many(_wanted(caller, status, group)) for status in waiting):
        raise Refused(409, "no letter of this group is open; somebody has settled them all")
