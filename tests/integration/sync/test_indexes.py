"""Every query of the hot paths is answered by an index, not by reading the collection."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import models
from models import (
    AiRequest,
    AiUsage,
    Connection,
    Erasure,
    Record,
    RejectedItem,
    SyncRun,
    SyncState,
    User,
)
from pipeline.stores import collection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = {"user_id": "u", "source": "google_calendar"}
STREAM = {**RECORDS, "stream": "events/c", "deleted_at": None}
NEWEST = [("created_at", -1), ("_id", -1)]
ENTITY = {"tenant_id": "t", "entity.kind": "record", "entity.id": "r"}
QUERIES: list[tuple[type[Any], dict[str, Any], list[tuple[str, int]]]] = [
    (SyncState, {"user_id": "u", "source": "google_calendar"}, []),
    (
        SyncState,
        {"next_due_at": {"$lte": NOW}, "$and": [{"source": {"$in": ["google_gmail", "x"]}}, {}]},
        [("next_due_at", 1)],
    ),
    (SyncState, {"projections.graph.due_at": {"$lte": NOW}}, []),
    (SyncState, {"projections.search.due_at": {"$lte": NOW}}, []),
    (SyncState, {"source": "google_calendar"}, []),
    (SyncState, {"user_id": "u"}, []),
    (SyncState, {"status": "error", "user_id": {"$gt": "u"}}, [("user_id", 1)]),
    (
        SyncState,
        {"stale_at": {"$not": {"$gt": NOW}, "$gte": NOW}},
        [("stale_at", 1), ("user_id", 1), ("source", 1)],
    ),
    (User, {"tenant_id": "t", "_id": {"$gt": "u"}}, [("_id", 1)]),
    (
        Connection,
        {"status": "disconnected", "credentials": {"$exists": True}},
        [("connected_at", 1)],
    ),
    (Erasure, {"check_at": {"$lte": NOW}}, []),
    (Record, {**RECORDS, "seq": {"$gt": 5, "$lte": 9}}, [("seq", 1)]),
    (Record, {**STREAM, "generation": {"$lt": 3}}, []),
    (Record, {**STREAM, "item.recurringEventId": {"$in": ["a", "b"]}}, []),
    (Record, {"user_id": "u", "deleted_at": None}, []),
    (Record, {**RECORDS, "item.threadId": "t", "deleted_at": None}, []),
    (Record, {**RECORDS, "item.conversationId": "t", "deleted_at": None}, []),
    (Connection, {"user_id": "u", "provider": "google"}, []),
    (SyncRun, {"user_id": "u", "source": "google_calendar"}, [("started_at", -1)]),
    (RejectedItem, {"user_id": "u", "source": "google_calendar"}, []),
    (
        AiRequest,
        {"status": {"$in": ["queued", "running"]}, "look_at": {"$lte": NOW}},
        [("look_at", 1)],
    ),
    (AiRequest, {"content_until": {"$lte": NOW}}, []),
    (AiRequest, {"tenant_id": "t"}, NEWEST),
    (AiRequest, {"tenant_id": "t", "status": "queued"}, []),
    (AiRequest, {**ENTITY, "status": "done"}, NEWEST),
    (AiRequest, {"user_id": "u"}, []),
    (AiUsage, {"tenant_id": "t", "at": {"$gte": NOW}}, []),
    (AiUsage, {"user_id": "u"}, []),
]


def stages(plan: dict[str, Any]) -> set[str]:
    inner = [plan.get("inputStage"), *plan.get("inputStages", ())]
    return {plan["stage"]}.union(*(stages(stage) for stage in inner if stage))


@pytest.mark.parametrize(("model", "query", "sort"), QUERIES)
def test_a_query_uses_an_index(
    stores: None, model: type[Any], query: dict[str, Any], sort: list[tuple[str, int]]
) -> None:
    cursor = collection(model).find(query)
    plan = (cursor.sort(sort) if sort else cursor).explain()["queryPlanner"]["winningPlan"]
    used = stages(plan.get("queryPlan", plan))
    assert "COLLSCAN" not in used
    assert "SORT" not in used


def test_indexes_can_be_made_twice(stores: None) -> None:
    before = collection(Record).index_information()
    models.ensure_indexes()
    assert collection(Record).index_information() == before


def test_a_sync_run_goes_by_itself(stores: None) -> None:
    indexes = collection(SyncRun).index_information()
    assert any(index.get("expireAfterSeconds") == 0 for index in indexes.values())
