"""How much a tenant may ask of models: charged before a call by estimate, corrected after it.

What is done on the worker itself costs nothing and is not charged: workers take turns
between tenants anyway.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from models import AiRequest
from pipeline.clients.openai_chat import Endpoint
from pipeline.config import settings
from pipeline.errors import Permanent, RateLimited
from pipeline.limits import budgets
from pipeline.limits.budgets import Budget, Charge, Refused
from pipeline.metrics import AI_QUOTA_REFUSALS
from pipeline.platform.ai.kinds import CHARACTERS_PER_TOKEN
from pipeline.stores import collection, redis_client

MINUTE, DAY = 60.0, 86_400.0
#: No more of those who wait are counted: it only spreads them.
_MOST_COUNTED = 10_000
_WORDS = {
    "requests_minute": "{} calls in any minute",
    "requests_day": "{} calls in any day",
    "tokens_minute": "{} tokens in any minute",
    "tokens_day": "{} tokens in any day",
}


class Use(NamedTuple):
    """How much of a quota is in use."""

    name: str
    used: int
    limit: int
    seconds: float


def of_tenant(tenant_id: str) -> list[Budget]:
    """Return the budgets of a tenant: of calls, then of tokens."""
    known, key = settings(), f"ai:{tenant_id}"
    return [
        Budget(f"{key}:requests", known.ai_requests_per_minute, MINUTE, "requests_minute"),
        Budget(f"{key}:requests", known.ai_requests_per_day, DAY, "requests_day"),
        Budget(f"{key}:tokens", known.ai_tokens_per_minute, MINUTE, "tokens_minute"),
        Budget(f"{key}:tokens", known.ai_tokens_per_day, DAY, "tokens_day"),
    ]


def used(tenant_id: str) -> list[Use]:
    """Return how much of its quotas a tenant has in use.  Raises redis.RedisError."""
    found = of_tenant(tenant_id)
    return [
        Use(budget.name, units, budget.limit, budget.seconds)
        for budget, units in zip(found, budgets.used(found), strict=True)
    ]


def estimate(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return about how many tokens messages have."""
    return tokens_of(sum(len(str(message["content"])) for message in messages))


def tokens_of(characters: int) -> int:
    """Return about how many tokens so many characters are."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def charge(tenant_id: str, tokens: int) -> Charge:
    """Charge a call that takes so many tokens, received ones included.

    Raises RateLimited, having charged nothing, if they are not there now; Permanent if they
    never could be; redis.RedisError.
    """
    found = of_tenant(tenant_id)
    try:
        charged = budgets.charge(found, _units(tokens))
    except ValueError:
        raise Permanent(
            f"it takes about {tokens:,} tokens, which AI_TOKENS_PER_MINUTE="
            f"{settings().ai_tokens_per_minute} or AI_TOKENS_PER_DAY="
            f"{settings().ai_tokens_per_day} never lets through"
        ) from None
    if isinstance(charged, Refused):
        raise _refusal(tenant_id, charged)
    return charged


def correct(charged: Charge, tokens: int) -> None:
    """Have it be `tokens` that a call took.  Raises redis.RedisError."""
    charged.correct(_units(tokens))


def hold(endpoint: Endpoint, seconds: float) -> None:
    """Let nobody call an API for a while, because it said so.  Raises redis.RedisError."""
    redis_client().set(_held_key(endpoint), 1, px=max(1, math.ceil(seconds * 1000)))


def check_not_held(endpoint: Endpoint) -> None:
    """Raise RateLimited while nobody may call an API; redis.RedisError."""
    left = redis_client().pttl(_held_key(endpoint))
    if isinstance(left, int) and left > 0:
        text = f"{endpoint.name} has asked to be left alone"
        raise RateLimited(text, retry_after_seconds=left / 1000, scope="project")


def _units(tokens: int) -> list[int]:
    return [1, 1, tokens, tokens]


def _refusal(tenant_id: str, refused: Refused) -> RateLimited:
    budget = refused.budget
    AI_QUOTA_REFUSALS.labels(budget.name).inc()
    words = _WORDS[budget.name].format(f"{budget.limit:,}")
    wait = refused.wait_seconds + _turn_seconds(tenant_id)
    return RateLimited(f"its tenant may use {words}", retry_after_seconds=wait, scope="tenant")


def _turn_seconds(tenant_id: str) -> float:
    """Return a random wait that spreads those who wait over the time that they need at least:
    all back at one moment, they would only be refused again."""
    wanted = {"tenant_id": tenant_id, "status": "queued"}
    waiting = collection(AiRequest).count_documents(wanted, limit=_MOST_COUNTED)
    return random.random() * waiting / settings().ai_requests_per_minute * MINUTE


def _held_key(endpoint: Endpoint) -> str:
    return f"headrace:ai:held:{endpoint.name}"
