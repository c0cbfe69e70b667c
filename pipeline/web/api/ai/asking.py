"""Asking AI for something, and having it tried again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field

from pipeline.platform import ai
from pipeline.web.api.ai.common import RequestId, TenantId, Writes, request_of
from pipeline.web.api.ai.views import Entity, RequestView, request_view
from pipeline.web.api.common import PRINTABLE, Payload, acting, stores
from pipeline.web.api.problems import documented
from pipeline.web.api.users import tenant_of

router = APIRouter(prefix="/ai/requests", tags=["ai"], dependencies=[stores("mongodb", "redis")])

_LONGEST = max(kind.longest for kind in ai.KINDS.values())
Type = Literal["generate-summary", "translate", "categorize", "note-cleanup", "extract-mentions"]


class Asking(Payload):
    """What AI is asked for: of a text in `content`, or of a record or thread in `entity`."""

    type: Type
    content: str | None = Field(default=None, min_length=1, max_length=_LONGEST)
    entity: Entity | None = None
    options: dict[str, Any] = Field(default={}, description="Of the type; see GET /ai/types.")
    user_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=PRINTABLE,
        description="Whose thread it is; of a text, with whose data it is erased.",
    )
    tenant_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=PRINTABLE,
        description="Whose; a token of one tenant, or `user_id`, says it, too.",
    )


@router.post("", status_code=202, responses=documented(404, 409))
def ask_ai(
    request: Request, caller: Writes, asked: Annotated[Asking, Body()], response: Response
) -> RequestView:
    """Ask for something.  The same, of the same content, is not asked twice: 200 if it is done."""
    tenant_id = tenant_of(caller, asked.tenant_id, asked.user_id)
    with acting(request, caller, "ai.ask", f"tenant {tenant_id}", type=asked.type) as entry:
        row = ai.ask(
            tenant_id,
            asked.type,
            entity=(asked.entity.kind, asked.entity.id) if asked.entity else None,
            content=asked.content,
            options=asked.options,
            user_id=asked.user_id,
            by=caller.actor,
        )
        entry.details["request"] = row["_id"]
    if row["status"] == "done":
        response.status_code = 200
    return request_view(row)


@router.post("/{request_id}/retries", status_code=202, responses=documented(404, 409))
def retry_ai_request(
    request: Request, caller: Writes, request_id: RequestId, tenant_id: TenantId = None
) -> RequestView:
    """Have a request that has failed tried again."""
    row = request_of(caller, tenant_id, request_id)
    with acting(request, caller, "ai.retry", f"ai request {row['_id']}"):
        return request_view(ai.retry(row["tenant_id"], row["_id"]))
