"""What calls take: a row before each one, and what is known of it after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models import AiUsage
from pipeline.clients.openai_chat import Answer
from pipeline.config import settings
from pipeline.stores import Row, collection


def begin(row: Row, provider: str, model: str, *, tokens_in: int, tokens_out: int) -> str:
    """Note that a call begins for a claimed request, with what it may take; return its id."""
    now = datetime.now(UTC)
    usage_id = f"{row['_id']}:{row['fence']}:{provider}"
    usage: Row = {
        "_id": usage_id,
        "tenant_id": row["tenant_id"],
        "request_id": row["_id"],
        "type": row["type"],
        "entity": row["entity"],
        "provider": provider,
        "model": model,
        "answered": False,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "tokens_cached": 0,
        "cost_microusd": cost_microusd(provider, Answer("", tokens_in, tokens_out, 0)),
        "at": now,
        "expires_at": now + timedelta(days=settings().ai_retention_days),
    }
    if row.get("user_id") is not None:
        usage["user_id"] = row["user_id"]
    collection(AiUsage).insert_one(usage)
    return usage_id


def end(usage_id: str, answer: Answer, seconds: float) -> Row:
    """Note what a call has taken; return the fields that a request keeps of it."""
    provider = usage_id.rpartition(":")[2]
    known: Row = {
        "tokens_in": answer.tokens_in,
        "tokens_out": answer.tokens_out,
        "tokens_cached": answer.tokens_cached,
        "cost_microusd": cost_microusd(provider, answer),
        "seconds": seconds,
    }
    fresh = known | {"answered": True}
    collection(AiUsage).update_one({"_id": usage_id}, {"$set": fresh})
    return known


def refused(usage_id: str) -> None:
    """Note that a call was refused before it took anything."""
    collection(AiUsage).delete_one({"_id": usage_id})


def cost_microusd(provider: str, answer: Answer) -> int:
    """Return what tokens cost, in millionths of a dollar: prices are per million tokens."""
    known = settings()
    if provider == "local":
        return 0
    if provider == "fallback":
        cost = answer.tokens_in * known.ai_fallback_cost_input
        return round(cost + answer.tokens_out * known.ai_fallback_cost_output)
    cached = min(answer.tokens_cached, answer.tokens_in)
    cost = (answer.tokens_in - cached) * known.ai_cost_input + cached * known.ai_cost_cached
    return round(cost + answer.tokens_out * known.ai_cost_output)
