"""Refusals as problem documents: https://www.rfc-editor.org/rfc/rfc9457

Each says what is wrong, with which field, and how to mend it; none repeats what was
sent, which may be personal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from pipeline.errors import Permanent

MEDIA_TYPE = "application/problem+json"

#: Of each status: the name that its `type` ends in, its title, and what the document says of it.
STATUSES: dict[int, tuple[str, str, str]] = {
    400: ("malformed", "The request cannot be read", "It is not HTTP, JSON or a path as it ought."),
    401: ("unauthenticated", "A valid token is needed", "There is no token, or it does not hold."),
    403: ("not-allowed", "The token does not allow this", "It lacks a scope, or is for a tenant."),
    404: ("not-found", "There is no such thing", "Also where a token may not know of it."),
    405: ("method", "This cannot be done with it", "`Allow` says what can."),
    409: ("conflict", "Its state does not allow this", "It may at another time."),
    413: (
        "too-large",
        "The body is too large",
        "A body is at most 64 KiB, of plans and files more.",
    ),
    415: ("media-type", "The body is of the wrong kind", "JSON, or a file as CSV."),
    422: ("invalid", "A field is wrong", "`errors` says which, and how to mend it."),
    429: ("too-many", "Too many requests", "`Retry-After` says when there may be more."),
    500: ("fault", "A fault in Headrace", "Please report it, with its `instance`."),
    503: ("unavailable", "This cannot be done now", "A store does not answer, or a setting lacks."),
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Its name; of one inside another, with a dot: `sources.0`.")
    problem: str = Field(description="What is wrong.")
    fix: str = Field(description="What to do about it.")


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = Field(json_schema_extra={"format": "uri-reference"}, description="For programs.")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time.")
    instance: str = Field(
        json_schema_extra={"format": "uri-reference"},
        description="The correlation id of the request, which log lines and jobs have too.",
    )
    errors: list[FieldProblem] = Field(default=[], description="What is wrong with which field.")


class Refused(Permanent):
    """A request cannot be served; it is answered with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def wrong(found: Sequence[FieldProblem]) -> Refused:
    """Return the refusal of fields that are wrong."""
    return Refused(422, "; ".join(f"{one.field} {one.problem}" for one in found), errors=found)


def invalid(field: str, problem: str, fix: str) -> Refused:
    """Return the refusal of one field."""
    return wrong([FieldProblem(field=field, problem=problem, fix=fix)])


def not_found(what: str) -> Refused:
    """Return the refusal of something that is not there."""
    return Refused(404, f"there is no {what}")


def answer(refused: Refused, correlation_id: str) -> JSONResponse:
    """Return the problem document of a refusal."""
    name, title, _ = STATUSES[refused.status]
    problem = Problem(
        type=f"urn:headrace:problem:{name}",
        title=title,
        status=refused.status,
        detail=refused.detail,
        instance=quote(correlation_id, safe=""),
        errors=refused.errors,
    )
    return JSONResponse(
        problem.model_dump(), refused.status, refused.headers, media_type=MEDIA_TYPE
    )


#: What is wrong and how to mend it, by the type of pydantic's error, filled with its context.
#: https://pydantic.dev/docs/validation/latest/errors/validation_errors/
_WORDS: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "give it"),
    "extra_forbidden": ("is not known", "leave it out, or mend its name"),
    "int_parsing": ("is no whole number", "give a whole number"),
    "int_parsing_size": ("is no whole number of a usual size", "give a smaller one"),
    "int_type": ("is no whole number", "give a whole number"),
    "int_from_float": ("is no whole number", "give a whole number"),
    "greater_than_equal": ("is too small", "give at least {ge}"),
    "less_than_equal": ("is too large", "give at most {le}"),
    "bool_type": ("is neither true nor false", "give true or false"),
    "bool_parsing": ("is neither true nor false", "give true or false"),
    "string_type": ("is no text", "give text in quotation marks"),
    "string_unicode": ("holds half a character", "give whole characters"),
    "string_too_short": ("is too short", "give at least {min_length} characters"),
    "string_too_long": ("is too long", "give at most {max_length} characters"),
    "string_pattern_mismatch": ("does not look as it should", "give text that matches {pattern}"),
    "literal_error": ("is none of those that there are", "give {expected}"),
    "list_type": ("is no list", "give a list in square brackets"),
    "too_short": ("has too few entries", "give at least {min_length}"),
    "too_long": ("has too many entries", "give at most {max_length}"),
    "model_attributes_type": ("is no object", "give a JSON object in braces"),
    "model_type": ("is no object", "give a JSON object in braces"),
}
_OTHER = ("is not as it should be", "see the description of the API")


def wrong_fields(errors: Sequence[Any]) -> Refused:
    """Return the refusal of what pydantic found wrong."""
    return wrong([_field_problem(error) for error in errors])


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    where = [str(part) for part in error["loc"]]
    problem, fix = _WORDS.get(error["type"], _OTHER)
    # The first part says whether it is in the path, the query or the body.
    return FieldProblem(
        field=".".join(where[1:]) or where[0],
        problem=problem,
        fix=fix.format_map(error.get("ctx", {})),
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how these statuses are answered, for the document of the API."""
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    _, title, more = STATUSES[status]
    headers: dict[str, Any] = {}
    if status == 401:
        headers["WWW-Authenticate"] = _header("How to sign in.")
    if status == 405:
        headers["Allow"] = _header("The methods that there are.")
    if status == 429:
        headers["Retry-After"] = _header("Seconds after which to try again.")
    return {
        "description": f"{title}. {more}",
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}
