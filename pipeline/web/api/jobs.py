"""Jobs: find them, see what became of them, cancel, promote and retry them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from pipeline.dead_letters.retrying import retry as retry_job
from pipeline.jobs import controls, layout
from pipeline.jobs import search as searching
from pipeline.jobs.entries import Entry
from pipeline.jobs.reading import find
from pipeline.jobs.search import Term
from pipeline.jobs.walking import Place
from pipeline.queues import QUEUES
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import PRINTABLE, JobName, Limit, acting, cursor, stores
from pipeline.web.api.job_views import JobDetails, JobDone, JobList, details_of, job_of
from pipeline.web.api.problems import Refused, documented, invalid, not_found

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[stores("redis")])

Reads = Annotated[Caller, allowed("jobs:read")]
Writes = Annotated[Caller, allowed("jobs:write")]
State = Literal["waiting", "delayed", "running", "completed", "failed"]

_ONE = documented(404)
_ACT = documented(404, 409)


@router.get("")
def list_jobs(
    caller: Reads,
    queue: Annotated[
        str | None,
        Query(description="Only of this queue.", json_schema_extra={"enum": [*QUEUES]}),
    ] = None,
    state: Annotated[State | None, Query(description="Only in this state.")] = None,
    search: Annotated[
        str,
        Query(
            description="Terms, all of which must hold: text that is in job id, job or error, or "
            f"a value after {', '.join(f'`{term}:`' for term in searching.TERMS)}.",
            max_length=500,
            pattern=PRINTABLE,
        ),
    ] = "",
    cursor: Annotated[str | None, cursor(r"^(due-)?[0-9]{1,15}-[^\x00-\x1f\x7f]+$")] = None,
    limit: Limit = 50,
) -> JobList:
    """List jobs, the latest first; delayed ones last, those first that are due first."""
    query = _query(caller, queue, state, search)
    page = searching.search(query, limit=limit, before=_place(cursor))
    return JobList(
        jobs=[job_of(entry) for entry in page.jobs if caller.knows(entry.scope("tenant"))],
        next=str(page.next) if page.next else None,
        ids_only=[f"{name}:{of}" for name, of in page.ids_only],
    )


def _query(caller: Caller, queue: str | None, state: str | None, search: str) -> searching.Query:
    """Return what is asked for.  Raises Refused for a queue or state that there is not."""
    query = searching.parsed(search)
    queues = tuple(dict.fromkeys([*([queue] if queue else []), *query.queues]))
    states = tuple(dict.fromkeys([*([state] if state else []), *query.states]))
    for name in queues:
        _check("queue", name, QUEUES, "search" if name in query.queues else "queue")
    for name in states:
        _check("state", name, layout.STATES, "search")
    terms = query.terms
    if caller.tenant_id is not None:
        terms += (Term("tenant", caller.tenant_id),)
    return replace(query, terms=terms, queues=queues, states=states)


def _check(what: str, name: str, known: Any, field: str) -> None:
    if name not in known:
        raise invalid(field, f"names a {what} that there is not", f"give one of {', '.join(known)}")


def _place(text: str | None) -> Place | None:
    return Place.parsed(text) if text else None


def _runs(name: str, caller: Caller) -> list[Entry]:
    """Return the runs of a job that `caller` may know of.  Raises Refused 404 if there is none."""
    found = [entry for entry in find(name) if caller.knows(entry.scope("tenant"))]
    if not found:
        raise not_found("such job, or its history is gone")
    return found


@router.get("/{job:id}", responses=_ONE)
def get_job(caller: Reads, job: JobName) -> JobDetails:
    """Tell everything about one job: of a job id, the run that is alive, else the latest."""
    entry, *earlier = _runs(job, caller)
    return details_of(entry, earlier, caller)


@router.post("/{job:id}/cancel", responses=_ACT, dependencies=[stores("mongodb")])
def cancel_job(request: Request, caller: Writes, job: JobName) -> JobDone:
    """Cancel a job that waits or is delayed; ask one that runs to stop."""
    entry = _runs(job, caller)[0]
    with acting(request, caller, "job.cancel", f"job {entry.message_id}"):
        state = controls.cancel(entry.message_id)
        if state not in ("waiting", "delayed", "running"):
            raise Refused(409, f"the job is {state or 'gone'}; there is nothing to cancel")
    if state == "running":
        text = "It was asked to stop; a job that waits for something outside stops after that."
        return JobDone(action="asked_to_stop", text=text, message_id=entry.message_id)
    text = "It is cancelled; there will be no dead letter."
    return JobDone(action="cancelled", text=text, message_id=entry.message_id)


@router.post("/{job:id}/promote", responses=_ACT, dependencies=[stores("mongodb")])
def promote_job(request: Request, caller: Writes, job: JobName) -> JobDone:
    """Let a delayed job start now, whatever it was delayed for."""
    entry = _runs(job, caller)[0]
    with acting(request, caller, "job.promote", f"job {entry.message_id}"):
        if not controls.promote(entry.message_id):
            raise Refused(409, f"the job is {entry.state}; only a delayed one can be promoted")
    text = "It is delayed no longer, and first in its turn."
    return JobDone(action="promoted", text=text, message_id=entry.message_id)


@router.post("/{job:id}/retry", status_code=202, responses=_ACT, dependencies=[stores("mongodb")])
def retry_failed_job(request: Request, caller: Writes, job: JobName) -> JobDone:
    """Run a failed job again; a delayed one is promoted.

    If it has an open dead letter, that is replayed by a job of its own, which
    `message_id` names; else the same job is sent anew.
    """
    entry = _runs(job, caller)[0]
    with acting(request, caller, "job.retry", f"job {entry.message_id}") as row:
        done = retry_job(entry, caller.actor)
        row.details["action"] = done.action
    return JobDone(action=done.action, text=done.text, message_id=done.message_id)
