"""What the endpoints of AI share: who may do what, and of which tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from models import DEFAULT_TENANT
from pipeline.platform import ai
from pipeline.stores import Row
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import PRINTABLE
from pipeline.web.api.problems import invalid, not_found
from pipeline.web.api.users import known_user

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


def tenant_of(caller: Caller, tenant_id: str | None, user_id: str | None = None) -> str:
    """Return the tenant that is meant.  Raises Refused 404 for one `caller` may not know of."""
    if user_id is not None:
        of_user: str = known_user(caller, user_id).get("tenant_id") or DEFAULT_TENANT
        if tenant_id not in (None, of_user):
            raise not_found("such user of this tenant")
        return of_user
    chosen = tenant_id or caller.tenant_id
    if chosen is None:
        raise invalid("tenant_id", "is missing", "give it: this token is for all tenants")
    if not caller.knows(chosen):
        raise not_found("such tenant")
    return chosen


def request_of(caller: Caller, tenant_id: str | None, request_id: str) -> Row:
    """Return the row of a request, or of what has replaced it.  Raises Refused 404."""
    row = ai.result(tenant_of(caller, tenant_id), request_id)
    if row is None:
        raise not_found("such request of this tenant")
    return row
