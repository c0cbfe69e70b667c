"""Every question that is asked of a million subscriptions is answered by an index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from models import Subscription, SyncState, WebhookDelivery
from pipeline.push.reading import LIST_INDEX, Place, Wanted
from pipeline.stores import collection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BY_END = [("expires_at", 1), ("_id", 1)]
BY_DUE = [("push.due_at", 1)]
WHOSE = {"user_id": "u", "source": "google_calendar"}
STATES = {"source": "google_calendar"}
QUERIES: list[tuple[type[Any], dict[str, Any], list[tuple[str, int]]]] = [
    (Subscription, WHOSE | {"status": {"$nin": ["stopped", "expired"]}}, []),
    (Subscription, {"_id": {"$in": ["a", "b"]}}, []),
    (Subscription, {"provider": "google", "route": {"$in": [b"a"]}, "status": "active"}, []),
    (Subscription, {"silent_after": {"$lte": NOW}}, []),
    (Subscription, {"doubted_at": {"$lte": NOW}}, []),
    (Subscription, STATES | {"status": "active", "target": {"$ne": "x"}}, []),
    (Subscription, Wanted().query(), BY_END),
    (Subscription, Wanted("google_gmail", "failed").query(), BY_END),
    (Subscription, {"$and": [Wanted().query(), Place(NOW, "a").query()]}, BY_END),
    (SyncState, STATES | {"push.due_at": {"$lte": NOW}}, BY_DUE),
    (SyncState, STATES | {"push.due_at": None, "fresh_as_of": {"$gt": NOW}}, []),
    (WebhookDelivery, {"subscription_id": "a", "open": True}, [("received_at", 1)]),
    (WebhookDelivery, {"open": True, "received_at": {"$lte": NOW}}, [("received_at", 1)]),
]


def stages(plan: dict[str, Any]) -> set[str]:
    inner = [plan.get("inputStage"), *plan.get("inputStages", ())]
    return {plan["stage"]}.union(*(stages(stage) for stage in inner if stage))


@pytest.mark.parametrize(("model", "query", "sort"), QUERIES)
def test_a_question_about_push_uses_an_index(
    stores: None, model: type[Any], query: dict[str, Any], sort: list[tuple[str, int]]
) -> None:
    cursor = collection(model).find(query)
    if sort == BY_END:
        cursor = cursor.hint(LIST_INDEX)
    plan = (cursor.sort(sort) if sort else cursor).explain()["queryPlanner"]["winningPlan"]
    used = stages(plan.get("queryPlan", plan))
    assert "COLLSCAN" not in used
    assert "SORT" not in used
