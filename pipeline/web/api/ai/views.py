"""Requests to AI, and what they took, as they are told."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from models.ai import AI_PROVIDERS, AI_STATUSES, AI_TYPES
from pipeline.platform import ai
from pipeline.stores import Row
from pipeline.web.api.common import PRINTABLE, Payload

Kind = Literal["record", "thread", "text"]


class Entity(Payload):
    """What a request is about."""

    kind: Kind
    id: str = Field(
        min_length=1,
        max_length=1100,
        pattern=PRINTABLE,
        description="Of a record its id in hexadecimal, of a thread `SOURCE:ID`.",
    )


class Failure(BaseModel):
    """Why there is no result, or not yet."""

    class_: str = Field(serialization_alias="class")
    message: str


class RequestView(BaseModel):
    """A request to AI.  The text that was submitted is never told again."""

    id: str
    tenant_id: str
    user_id: str | None
    type: str = Field(description=f"{', '.join(AI_TYPES)}.")
    entity: dict[str, str]
    options: dict[str, Any]
    status: str = Field(description=f"{', '.join(AI_STATUSES)}.")
    provider: str = Field(description=f"{', '.join(AI_PROVIDERS)}: who answers, or has answered.")
    model: str
    prompt_version: str
    result: dict[str, Any] | None = Field(description="Once it is `done`; its form is the type's.")
    error: Failure | None
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_microusd: int = Field(description="In millionths of a dollar.")
    seconds: float | None
    attempts: int
    requested_by: str
    created_at: datetime
    done_at: datetime | None


class RequestList(BaseModel):
    """A page of requests, the newest first."""

    requests: list[RequestView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class UseView(BaseModel):
    """What calls of one type, provider and model took."""

    type: str
    provider: str
    model: str
    calls: int
    unanswered: int = Field(description="No answer came of them; their tokens are estimates.")
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_microusd: int
    seconds: float


class QuotaView(BaseModel):
    """How much of a quota is in use."""

    name: str
    used: int
    limit: int
    seconds: float = Field(description="In any so long a time.")


class Usage(BaseModel):
    """What a tenant used on a day, UTC, and how much of its quotas is in use now."""

    day: date
    uses: list[UseView]
    quotas: list[QuotaView]


class TypeView(BaseModel):
    """A type of requests: JSON schemas of what it takes and gives, and how long contents are."""

    type: str
    options: dict[str, Any]
    result: dict[str, Any]
    shortest: int = Field(description="In characters, of the content.")
    longest: int
    local: bool = Field(description="Whether it is done without an API, too.")


def request_view(row: Row) -> RequestView:
    """Return what is told of a request."""
    known: dict[str, Any] = {name: row.get(name) for name in RequestView.model_fields}
    told = row.get("error")
    known |= {
        "id": row["_id"],
        "options": row.get("options") or {},
        "error": Failure(class_=told["class"], message=told["message"]) if told else None,
    }
    return RequestView(**known)


def type_view(name: str) -> TypeView:
    """Return what is told of a type."""
    kind = ai.KINDS[name]
    return TypeView(
        type=name,
        options=kind.options.model_json_schema(),
        result=kind.result.model_json_schema(),
        shortest=kind.shortest,
        longest=kind.longest,
        local=bool(kind.local),
    )
