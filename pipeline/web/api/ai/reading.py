"""What AI was asked, what it answered, and what that took."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from models.ai import AI_STATUSES, AI_TYPES
from pipeline.places import Place
from pipeline.platform import ai
from pipeline.web.api.ai.common import Reads, RequestId, TenantId, request_of
from pipeline.web.api.ai.views import (
    Kind,
    QuotaView,
    RequestList,
    RequestView,
    TypeView,
    Usage,
    UseView,
    request_view,
    type_view,
)
from pipeline.web.api.common import PRINTABLE, Limit, cursor, require, stores
from pipeline.web.api.problems import documented, invalid
from pipeline.web.api.users import tenant_of

router = APIRouter(prefix="/ai", tags=["ai"], dependencies=[stores("mongodb")])

_Type = Annotated[str, Field(json_schema_extra={"enum": [*AI_TYPES]})]
_Status = Annotated[str, Field(json_schema_extra={"enum": [*AI_STATUSES]})]


@router.get("/types")
def list_ai_types(caller: Reads) -> list[TypeView]:  # noqa: ARG001  the scope is needed
    """Tell what can be asked for, with the schemas of options and results."""
    return [type_view(name) for name in ai.TYPES]


@router.get("/requests", responses=documented(404))
def list_ai_requests(
    caller: Reads,
    tenant_id: TenantId = None,
    user_id: Annotated[
        str | None,
        Query(description="Only of this user.", min_length=1, max_length=200, pattern=PRINTABLE),
    ] = None,
    type: Annotated[list[_Type] | None, Query(description="Only of these types.")] = None,  # noqa: A002
    status: Annotated[list[_Status] | None, Query(description="Only so.")] = None,
    entity_kind: Annotated[Kind | None, Query(description="With `entity_id`: only of it.")] = None,
    entity_id: Annotated[
        str | None,
        Query(description="As it was asked for.", min_length=1, max_length=1100, pattern=PRINTABLE),
    ] = None,
    cursor: Annotated[str | None, cursor(r"^[0-9]{1,13}-[0-9a-f]{32}$")] = None,
    limit: Limit = 50,
) -> RequestList:
    """List what was asked, the newest first."""
    if (entity_kind is None) != (entity_id is None):
        missing = "entity_id" if entity_id is None else "entity_kind"
        raise invalid(missing, "is missing", "give both, or none")
    before = Place.parsed(cursor, str) if cursor else None
    found = ai.listed(
        tenant_of(caller, tenant_id, user_id),
        types=type or (),
        statuses=status or (),
        entity=(entity_kind, entity_id) if entity_kind and entity_id else None,
        user_id=user_id,
        before=(before.at, str(before.id)) if before else None,
        limit=limit,
    )
    # A full page that is the last one leads to an empty one.
    more = str(Place.of(found[-1], "created_at")) if len(found) == limit else None
    return RequestList(requests=[request_view(row) for row in found], next=more)


@router.get("/requests/{request_id}", responses=documented(404))
def get_ai_request(caller: Reads, request_id: RequestId, tenant_id: TenantId = None) -> RequestView:
    """Tell of a request, or of the one that replaced it when its content changed."""
    return request_view(request_of(caller, tenant_id, request_id))


@router.get("/usage", responses=documented(404))
def get_ai_usage(
    caller: Reads,
    tenant_id: TenantId = None,
    day: Annotated[date | None, Query(description="UTC; without it, today.")] = None,
) -> Usage:
    """Tell what AI took on a day, and how much of the quotas is in use."""
    require("redis")
    tenant, chosen = tenant_of(caller, tenant_id), day or datetime.now(UTC).date()
    if not date(2000, 1, 1) <= chosen < date(9000, 1, 1):
        raise invalid("day", "is beyond all calendars", "give a day of this age")
    return Usage(
        day=chosen,
        uses=[UseView(**use._asdict()) for use in ai.usage(tenant, chosen)],
        quotas=[QuotaView(**use._asdict()) for use in ai.quotas_of(tenant)],
    )
