"""What the endpoints of AI share: who may do what, and of which tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from pipeline.platform import ai
from pipeline.stores import Row
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import PRINTABLE
from pipeline.web.api.problems import not_found
from pipeline.web.api.users import tenant_of

Reads = Annotated[Caller, allowed("ai:read")]
Writes = Annotated[Caller, allowed("ai:write")]

RequestId = Annotated[str, Path(description="The id of a request.", pattern=r"^[0-9a-f]{32}$")]
TenantId = Annotated[
    str | None,
    Query(
        description="Whose; a token of one tenant says it, too.",
        min_length=1,
        max_length=200,
        pattern=PRINTABLE,
    ),
]


def request_of(caller: Caller, tenant_id: str | None, request_id: str) -> Row:
    """Return the row of a request, or of what has replaced it.  Raises Refused 404."""
    row = ai.result(tenant_of(caller, tenant_id), request_id)
    if row is None:
        raise not_found("such request of this tenant")
    return row
