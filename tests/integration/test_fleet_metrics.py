"""What the scheduler's /metrics says of all users and all queues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from models import DeadLetter, SyncState
from pipeline import dispatch
from pipeline.fleet_metrics import FleetCollector
from pipeline.jobs import controls
from pipeline.stores import collection
from pipeline.sync import states

TARGET = timedelta(minutes=15)


@pytest.fixture
def fleet(stores: None) -> list[str]:
    """The lines of one fresh, one old and one new user, some jobs and some pauses."""
    now = datetime.now(UTC)
    for name, age in (("fresh", timedelta(minutes=2)), ("old", timedelta(hours=2)), ("new", None)):
        states.ensure(name, "google_tasks", now)
        freshness = {"fresh_as_of": now - age, "stale_at": now - age + TARGET} if age else {}
        collection(SyncState).update_one(
            {"user_id": name},
            {"$set": {**freshness, "seq": 7, "projections.graph.seq": 4, "records": 5}},
        )
    dispatch.send("dispatch")
    dispatch.send("advance_graph", "ada", delay_seconds=60)
    for scope in ("queue:graph", "user:ada", "user:bob"):
        controls.pause(scope, reason="a test", by="ada")
    for number, status in enumerate(["open", "open", "dismissed"]):
        letter = {"_id": str(number), "job_id": f"j{number}", "status": status, "queue": "graph"}
        collection(DeadLetter).insert_one(letter)
    registry = CollectorRegistry()
    registry.register(FleetCollector())
    return generate_latest(registry).decode().splitlines()


@pytest.mark.parametrize(
    "line",
    [
        'headrace_fresh_share{source="google_tasks"} 0.3333333333333333',
        'headrace_freshness_seconds_bucket{le="300.0",source="google_tasks"} 1.0',
        'headrace_freshness_seconds_bucket{le="14400.0",source="google_tasks"} 2.0',
        'headrace_freshness_seconds_count{source="google_tasks"} 3.0',
        'headrace_projection_lag_records{projection="graph",source="google_tasks"} 9.0',
        'headrace_live_records{source="google_tasks"} 15.0',
        'headrace_users{source="google_tasks",status="idle"} 3.0',
        'headrace_queue_jobs{queue="data-sync",state="waiting"} 1.0',
        'headrace_queue_jobs{queue="graph",state="delayed"} 1.0',
        'headrace_queue_jobs{queue="email",state="failed"} 0.0',
        'headrace_queue_oldest_seconds{queue="graph"} 0.0',
        'headrace_queue_paused{queue="graph"} 1.0',
        'headrace_queue_paused{queue="data-sync"} 0.0',
        'headrace_queue_workers{queue="data-sync"} 0.0',
        'headrace_scope_pauses{scope="queue"} 1.0',
        'headrace_scope_pauses{scope="user"} 2.0',
        'headrace_dead_letters_open{queue="graph"} 2.0',
        'headrace_dead_letters_open{queue="data-sync"} 0.0',
        'headrace_store_up{store="mongodb"} 1.0',
        'headrace_store_up{store="redis"} 1.0',
    ],
)
def test_the_fleet_says_how_it_is(fleet: list[str], line: str) -> None:
    assert line in fleet
