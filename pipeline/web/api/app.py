"""The API as one application, and its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from pipeline.errors import HeadraceError
from pipeline.web.api import (
    ai,
    dead_letters,
    jobs,
    mailboxes,
    outreach,
    search,
    status,
    user_actions,
    users,
)
from pipeline.web.api.common import known_queries
from pipeline.web.api.edge import Edge
from pipeline.web.api.problems import Problem, documented
from pipeline.web.api.refusals import refused
from pipeline.web.paths import KeepSlashes

_DESCRIPTION = """\
For programs: users and their connections, syncs, search, mailboxes, outreach, jobs, dead letters.

Send `Authorization: Bearer hr_…`; `headrace tokens create` makes a token. Every refusal is a
problem document (RFC 9457). Lists come in pages: give `next` as `cursor`. Times are UTC.
`X-Correlation-ID`, yours or a new one, comes back with every answer and goes into the log and
the jobs that a request causes.
"""
#: What any request may be answered with.
_ALWAYS = documented(400, 401, 403, 405, 413, 415, 422, 429, 500, 503)


class Api(FastAPI):
    """FastAPI with a document that tells of problems instead of its own errors."""

    def openapi(self) -> dict[str, Any]:
        """Return the document of the API."""
        if not self.openapi_schema:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            schemas |= _schemas_of_problems()
            for operation in _operations(document):
                for response in operation["responses"].values():
                    response.setdefault("headers", {})["X-Correlation-ID"] = _CORRELATION
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = _without_null(parameter["schema"])
        assert self.openapi_schema is not None
        return self.openapi_schema


_CORRELATION = {"description": "Yours, or a new one.", "schema": {"type": "string"}}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which is left out where it has no value: it is never null.

    FastAPI describes the default of None as a value that may be sent.
    """
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return rest | choices[0] if choices else schema


def _schemas_of_problems() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def _operations(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def _operation_id(route: APIRoute) -> str:
    """Return what generated clients call the endpoint: the name of its function."""
    return route.name


def make_api() -> FastAPI:
    """Return the application that is mounted at /api/v1."""
    api = Api(
        title="Headrace",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,  # its page wants scripts of other hosts, which the web forbids
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        dependencies=[Depends(known_queries)],
        responses=_ALWAYS,
        exception_handlers=dict.fromkeys(
            (HTTPException, RequestValidationError, HeadraceError, RedisError, PyMongoError),
            refused,
        ),
    )
    for part in (users, user_actions, search, status, jobs, dead_letters):
        api.include_router(part.router)
    for router in (*mailboxes.routers, *outreach.routers, *ai.routers):
        api.include_router(router)
    api.add_middleware(Edge)
    api.add_middleware(KeepSlashes)  # the outermost: what is inside sees one path
    return api
