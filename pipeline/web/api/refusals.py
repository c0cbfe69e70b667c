"""What an error of any kind means to the caller of the API."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fastapi.exceptions import RequestValidationError
from pymongo.errors import ConnectionFailure, PyMongoError
from redis.exceptions import RedisError, ResponseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from pipeline import errors
from pipeline.jobs.failure import frames
from pipeline.outreach.plans import InvalidPlan
from pipeline.outreach.plans import Problem as PlanProblem
from pipeline.outreach.readiness import NotReady
from pipeline.refusals import Refused as WrongValue
from pipeline.web.api.problems import FieldProblem, Refused, answer, invalid, wrong, wrong_fields
from pipeline.web.stores import Store, prober, told

log = logging.getLogger(__name__)

#: After so long it is worth asking again for what failed because of a store.
RETRY_SECONDS = 5


def refusal_of(error: Exception) -> Refused:
    """Return what an error of any kind means to the caller."""
    match error:
        case Refused():
            return error
        case RequestValidationError():
            return _unreadable(error)
        case HTTPException():
            return _of_framework(error)
        case RedisError() if type(error) is not ResponseError:
            return _no_answer("redis", error)
        case PyMongoError() if isinstance(error, ConnectionFailure) or error.timeout:
            return _no_answer("mongodb", error)
        case errors.HeadraceError():
            return _of_headrace(error)
    # Also what a store refuses to do: it answers, and we have asked the wrong thing.
    fields = {"error": type(error).__name__, "traceback": frames(error)}
    log.error("API request failed", extra=fields)
    return Refused(500, "this is a fault in Headrace; its log has more under this correlation id")


def _unreadable(error: RequestValidationError) -> Refused:
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return Refused(400, "the body is not JSON")
    return wrong_fields(found)


def _of_framework(error: HTTPException) -> Refused:
    match error.status_code:
        case 404:
            return Refused(404, "there is nothing at this address; see the document of the API")
        case 405:
            return Refused(405, "this method does nothing here", headers=error.headers)
        case 413:
            return Refused(413, error.detail)
    return Refused(400, "the body cannot be read as JSON in UTF-8")


def _no_answer(store: Store, error: Exception) -> Refused:
    text = told(store, error)
    prober().note(store, text)
    return unavailable(f"{text}; what was asked for may or may not be done")


def unavailable(detail: str) -> Refused:
    """Return the refusal of what may be possible in a moment."""
    return Refused(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _of_headrace(error: errors.HeadraceError) -> Refused:
    match error:
        case InvalidPlan():
            return wrong(problems_of_plan(error.problems))
        case NotReady():
            return Refused(409, str(error), errors=problems_of_plan(error.problems))
        case WrongValue():
            return _of_value(error)
        case errors.Gone():
            return Refused(404, str(error))
        case errors.RateLimited():
            after = max(1, round(error.retry_after_seconds))
            return Refused(503, str(error), headers={"Retry-After": str(after)})
        case errors.Misconfigured():
            return Refused(503, str(error))
        case errors.Transient():
            return unavailable(str(error))
    return Refused(409, str(error))


def problems_of_plan(found: Iterable[PlanProblem]) -> list[FieldProblem]:
    """Return what is wrong with a plan, or with what it needs, by path."""
    return [_at(one.path or "plan", one.message) for one in found]


def _at(field: str, text: str) -> FieldProblem:
    """Return a problem out of a text that says what is wrong, then how to mend it."""
    problem, _, fix = text.partition("; ")
    return FieldProblem(field=field, problem=problem, fix=fix or "change it")


def _of_value(error: WrongValue) -> Refused:
    """Return the refusal of a value; what is wrong comes before how to mend it.

    Without a field it is the state of something that speaks against it.
    """
    if not error.field:
        return Refused(409, str(error))
    problem, _, fix = str(error).removeprefix(f"{error.field}: ").partition("; ")
    return invalid(error.field, problem, fix or "give another")


def too_large(most_bytes: int) -> Refused:
    """Return the refusal of a body that is too long."""
    return Refused(413, f"a body here is at most {most_bytes} bytes; send less at once")


async def refused(request: Request, error: Exception) -> JSONResponse:
    """Answer an error that a route or the framework has raised."""
    refusal = refusal_of(error)
    if refusal.status == 405:
        refusal.headers = {"Allow": _allowed_methods(request)}
    return answer(refusal, request.state.correlation_id)


def _allowed_methods(request: Request) -> str:
    """Return the methods of all routes of this path; the framework knows of one route only."""
    paths = request.app.openapi()["paths"]
    return ", ".join(sorted(method.upper() for method in paths[request.scope["route"].path_format]))
