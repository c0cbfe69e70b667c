"""The scheduler's ticks, the queues' depth, and what the fleet's metrics say of both."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import scheduler
from models import SyncState
from pipeline import dispatch
from pipeline.fleet_metrics import FleetCollector
from pipeline.queue_depth import depth
from pipeline.schedules import SCHEDULES
from pipeline.stores import collection
from pipeline.sync import states

SLOT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_many_schedulers_send_a_tick_once(stores: None) -> None:
    sent: list[bool] = []
    threads = [
        threading.Thread(target=lambda: sent.append(scheduler.emit(SCHEDULES[0], SLOT)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 1
    assert depth("data-sync").waiting == 1


def test_the_next_tick_is_another(stores: None) -> None:
    assert scheduler.emit(SCHEDULES[0], SLOT)
    assert scheduler.emit(SCHEDULES[0], SLOT + timedelta(minutes=1))


def test_the_scheduler_has_every_schedule(servers: dict[str, str]) -> None:
    assert {job.id for job in scheduler.build().get_jobs()} == {s.name for s in SCHEDULES}


def test_depth_tells_waiting_from_delayed_and_knows_the_oldest(stores: None) -> None:
    dispatch.send("sync", "ada", "google_tasks")
    dispatch.send("sync", "ada", "google_tasks", delay_seconds=60)
    now = depth("data-sync")
    assert (now.waiting, now.delayed, now.running, now.dead) == (1, 1, 0, 0)
    assert 0 <= now.oldest_seconds < 5


def test_a_message_holds_ids_and_nothing_else(stores: None) -> None:
    import json

    from pipeline.stores import redis_client

    dispatch.send("sync", "ada", "google_tasks")
    [raw] = redis_client().hvals("headrace:data-sync.msgs")
    message = json.loads(raw)
    assert message["args"] == ["ada", "google_tasks"]
    assert message["kwargs"] == {}


@pytest.fixture
def fleet(stores: None) -> str:
    """The fleet's metrics with one fresh, one old and one new user."""
    now = datetime.now(UTC)
    for name, age in (("fresh", timedelta(minutes=2)), ("old", timedelta(hours=2)), ("new", None)):
        states.ensure(name, "google_tasks", now)
        moment = now - age if age else None
        collection(SyncState).update_one(
            {"user_id": name},
            {"$set": {"fresh_as_of": moment, "seq": 7, "projections.graph.seq": 4, "records": 5}},
        )
    registry = CollectorRegistry()
    registry.register(FleetCollector())
    return generate_latest(registry).decode()


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
        'headrace_queue_jobs{queue="data-sync",state="waiting"} 0.0',
        'headrace_queue_oldest_seconds{queue="graph"} 0.0',
        'headrace_store_up{store="mongodb"} 1.0',
        'headrace_store_up{store="redis"} 1.0',
    ],
)
def test_the_fleet_says_how_fresh_it_is(fleet: str, line: str) -> None:
    assert line in fleet.splitlines()
