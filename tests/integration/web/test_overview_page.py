"""The Overview: fresh or not and why, how the queues do, and what is left of it without a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from browsers import signed_in
from history_jobs import in_the_table, send, working
from job_pages import asked_anew, read, words
from own_redis import OwnRedis, talking_to
from starlette.testclient import TestClient
from waiting import wait_until

from models import Connection, DeadLetter, SyncState
from pipeline.jobs import controls
from pipeline.jobs.workers import serving, workers
from pipeline.limits import ledger
from pipeline.limits.profiles import GOOGLE_TASKS
from pipeline.queues import EMAIL, QUEUES
from pipeline.schedules import SCHEDULES
from pipeline.stores import collection, redis_client
from pipeline.ticks import send_tick
from pipeline.web import samples
from pipeline.web.admin import overview

HOME = "/admin/queues"
Setting = Callable[..., None]


@pytest.fixture(autouse=True)
def table(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A queue of parcels beside the real ones; nothing is remembered of other tests."""
    for remembered in overview.REMEMBERED:
        remembered.forget()
    with in_the_table(monkeypatch), asked_anew():
        yield


@pytest.fixture
def viewer() -> TestClient:
    return signed_in("viewer")


def copy(user: str, *, stale_in_seconds: float = 600, status: str = "idle") -> None:
    """Have the copy of a user's tasks, with a connection."""
    now = datetime.now(UTC)
    state = {"source": "google_tasks", "status": status, "fresh_as_of": now - timedelta(minutes=5)}
    state |= {"user_id": user, "stale_at": now + timedelta(seconds=stale_in_seconds)}
    collection(SyncState).insert_one(state)
    row = {"provider": "google", "status": "needs_reauth" if "reauth" in status else "active"}
    collection(Connection).insert_one(row | {"user_id": user, "version": 1, "connected_at": now})


def test_an_empty_fleet_says_what_to_do_first(viewer: TestClient) -> None:
    page = read(viewer, HOME)
    assert "Nobody is connected yet" in page
    assert "headrace connect-link" in page
    assert "No worker runs: jobs wait." in page
    assert "never ran" in page


def test_fresh_copies_are_well_as_long_as_something_keeps_them_so(viewer: TestClient) -> None:
    copy("ada")
    page = read(viewer, HOME)
    assert "the only copy is within target, but not for long." in page
    assert "No scheduler has run yet" in page
    assert "No worker serves data-sync" in page
    assert "google_tasks 100% 1 of 1 fresh; target 15 min; oldest look 5 min ago" in page


def test_late_copies_are_told_with_what_they_wait_for(viewer: TestClient) -> None:
    for number in range(3):
        copy(f"user{number}")
    copy("late", stale_in_seconds=-60)
    copy("gone", stale_in_seconds=-60, status="needs_reauth")
    controls.pause("source:google_tasks", reason="a bad day", by="ada")
    page = read(viewer, HOME)
    assert "60.0% of the copies are within target; 2 of 5 are late." in page
    assert "1 waits for the user to connect again." in page
    assert "1 waits for their turn." in page
    assert "google_tasks: paused until somebody resumes it, a bad day." in page
    assert "active 4 needs reauth 1" in page


def test_queues_are_told_by_what_has_waited_longest(
    viewer: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUEUES, "quarry", replace(EMAIL, name="quarry"))
    now = datetime.now(UTC).timestamp()
    for back in range(12):
        samples.take(now - 10 * back)
    send("ada")
    controls.pause("queue:graph", reason="it moves", by="bob")
    html = viewer.get(HOME).text
    page = words(html)
    assert html.index('id="queue-parcels"') < html.index('id="queue-data-sync"')
    assert "no workers" in page
    assert "Paused by bob: it moves" in page
    assert "Without jobs: quarry" in page
    assert html.count('"spark": true') >= 4
    assert "waiting 1 running 0 delayed 0 completed 0 failed 0" in page


def test_a_queue_that_is_paused_does_not_miss_its_workers(viewer: TestClient) -> None:
    send("ada")
    assert "no workers" in read(viewer, HOME)
    controls.pause("queue:parcels", reason="a deploy", by="ada")
    page = read(viewer, HOME)
    assert "no workers" not in page
    assert "paused" in page


def test_workers_and_their_places_are_counted(viewer: TestClient) -> None:
    with working():
        wait_until(lambda: serving("parcels", workers()), "a worker is there")
        page = read(viewer, HOME)
    assert "0 of 4 places busy 1 worker" in page
    assert "1 live" in page
    assert "Slots busy 0 of 4" in page


def test_dead_letters_are_compared_with_the_days_before(viewer: TestClient) -> None:
    now = datetime.now(UTC)
    for number, days in enumerate([0] * 8 + [1, 1, 2, 3, 4, 5, 6]):
        at = now - timedelta(days=days)
        row = {"_id": str(number), "job_id": str(number), "status": "open", "counted": []}
        collection(DeadLetter).insert_one(row | {"first_seen_at": at, "last_seen_at": at})
    page = read(viewer, HOME)
    assert "15 open" in page
    assert "more than usual 8 new today; the median of the 7 days before is 1." in page


def test_the_use_of_quotas_is_that_of_the_ledger(viewer: TestClient) -> None:
    ledger.take(GOOGLE_TASKS, "zoe", "tasks.tasks.list", count=7)
    ledger.learn(GOOGLE_TASKS, "zoe", "project", 120)
    page = read(viewer, HOME)
    assert "google-tasks, a day 7 of 48,500" in page
    assert "google-tasks, a minute: the provider asked to be left alone for another 2 min" in page
    assert "zoe" not in page


def test_a_scheduler_that_has_stopped_is_late(viewer: TestClient) -> None:
    copy("ada")
    for schedule in SCHEDULES:
        send_tick(schedule, datetime.now(UTC))
    assert "on time" in read(viewer, HOME)
    for schedule in SCHEDULES:
        redis_client().delete("headrace:schedules:last")
        send_tick(schedule, datetime.now(UTC) - timedelta(minutes=10))
    page = read(viewer, HOME)
    assert "No scheduler runs: a tick is" in page
    assert "late" in page


def test_the_stores_are_told_by_name(viewer: TestClient) -> None:
    page = read(viewer, HOME)
    for store in ("MongoDB", "Redis", "The graph"):
        assert store in page
    assert page.count("answers") >= 3
    assert "Redis holds" in page


def test_without_mongodb_the_queues_are_still_there(viewer: TestClient, setting: Setting) -> None:
    send("ada")
    read(viewer, HOME)
    setting(MONGODB_URI="mongodb://127.0.0.1:1/headrace")
    with asked_anew():
        page = read(viewer, HOME)
    assert "MongoDB does not answer" in page
    assert "parcels" in page
    assert "waiting 1" in page


def test_without_the_graph_it_is_told_and_the_rest_stays(
    viewer: TestClient, setting: Setting
) -> None:
    setting(GRAPH_URI="bolt://127.0.0.1:1")
    with asked_anew():
        page = read(viewer, HOME)
    assert "The graph down" in page
    assert "Redis holds" in page


def test_without_redis_freshness_is_still_there_and_the_queues_are_old(
    own_redis: OwnRedis,
) -> None:
    own_redis.client.flushall()
    copy("ada")
    with talking_to(own_redis), asked_anew():
        viewer = signed_in("viewer")
        send("ada")
        assert "waiting 1" in read(viewer, HOME)
        with own_redis.gone(), asked_anew():
            page = read(viewer, HOME)
    assert "No job can run: Redis does not answer." in page
    assert "Shown is what was read" in page
    assert "1 of 1 fresh; target 15 min" in page
    assert "waiting 1" in page
