"""What the endpoints share: ids in paths, pages of lists, stores that must answer, the audit."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict

import pipeline.web.paths  # noqa: F401  # so that routes may say {user_id:id}
from pipeline.audit import Entry, audited
from pipeline.web.api.callers import Caller
from pipeline.web.api.problems import FieldProblem, wrong
from pipeline.web.api.refusals import unavailable
from pipeline.web.stores import Store, prober

#: Most rows of one page of a list.
MOST_ROWS = 200
#: Control characters, which the edge refuses in paths and queries, cannot be in a name.
_NAME = r"^[^\x00-\x1f\x7f]+$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

UserId = Annotated[
    str,
    Path(
        description="The id that your application uses; percent-encoded, the slash too (`%2F`).",
        max_length=200,
        pattern=_NAME,
    ),
]
JobName = Annotated[
    str,
    Path(description="A message id, or a job id.", max_length=500, pattern=_NAME),
]
GroupName = Annotated[
    str,
    Path(description="The fingerprint of a group.", max_length=100, pattern=_NAME),
]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="At most so many rows.")]


class Payload(BaseModel):
    """What a request carries; a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def cursor(pattern: str) -> Any:
    """Return the query parameter by which a list goes on, which looks like `pattern`."""
    return Query(description="`next` of the page before.", max_length=400, pattern=pattern)


def stores(*names: Store) -> Any:
    """Return the dependency that refuses while one of these stores is known to be down."""

    def answer() -> None:
        require(*names)

    return Depends(answer)


def require(*names: Store) -> None:
    """Raise Refused 503 while one of these stores is known to be down.

    Nobody then waits for a timeout that another request has run into.
    """
    for name in names:
        if problem := prober().known_problem(name):
            raise unavailable(problem)


async def known_queries(request: Request) -> None:
    """Refuse query parameters that the endpoint does not have: a typing error must not list all."""
    described = request.app.openapi()["paths"][request.scope["route"].path_format]
    parameters = described[request.method.lower()].get("parameters", ())
    known = [one["name"] for one in parameters if one["in"] == "query"]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        fix = f"leave it out; there are {', '.join(known)}" if known else "leave it out"
        raise wrong([FieldProblem(field=n[:60], problem="is not known", fix=fix) for n in unknown])


def acting(
    request: Request, caller: Caller, action: str, target: str, **details: Any
) -> AbstractContextManager[Entry]:
    """Return the context in which `caller` acts: a row of the audit."""
    return audited(
        caller.actor,
        action,
        target,
        origin="api",
        correlation_id=request.state.correlation_id,
        **details,
    )
