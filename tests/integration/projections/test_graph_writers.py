"""However many writers there are, and wherever one is stopped, the graph ends up right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from graph_items import CALENDAR, EVENTS, MAILS, Landing, events, holding, mails

from models import ProjectionLease
from pipeline.errors import LeaseLost
from pipeline.projections import graph, lease
from pipeline.projections.graph.advance import watermark
from pipeline.projections.graph.changes import batches
from pipeline.projections.graph_snapshot import actual
from pipeline.projections.lease import held, renew
from pipeline.stores import collection


def test_a_busy_user_is_left_alone(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(3))
    with holding(user):
        assert graph.advance(user) == graph.Advanced(0, 0)
        with held("graph", user) as second:
            assert second is None
    assert actual(user).nodes == {}
    assert graph.advance(user).records == 3


def test_a_lease_that_ran_out_is_taken_over_and_its_writer_stopped(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(3))
    (lag,) = watermark.lags(user)
    with holding(user) as stalled:
        collection(ProjectionLease).update_one(
            {"_id": stalled.id}, {"$set": {"lease_until": datetime.now(UTC) - timedelta(seconds=1)}}
        )
        assert graph.advance(user).records == 3
        landing.land(CALENDAR, EVENTS, {"e0": None})
        (batch,) = batches(watermark.records(lag._replace(published=4)))
        with pytest.raises(LeaseLost):
            graph.apply(user, stalled.fence, batch.changes)
        with pytest.raises(LeaseLost):
            renew(stalled)
        watermark.move(lag, 4, stalled.fence)
    assert landing.watermark(CALENDAR)["seq"] == 3
    graph.advance(user)
    assert landing.differences() == []


def test_a_lost_mongodb_does_not_fall_behind_the_fence_in_the_graph(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(3))
    for _ in range(5):
        graph.rebuild(user)
    collection(ProjectionLease).delete_many({})
    assert graph.advance(user).records == 3


def test_two_advances_of_one_user_do_everything_once(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(700))
    landing.land(MAILS, "messages", mails(300))
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(graph.advance, user) for _ in range(3)]
        written = sum(advanced.result().records for advanced in done)
    assert written == 1000
    assert landing.differences() == []


def test_what_lands_while_an_advance_ends_is_never_forgotten(user: str, landing: Landing) -> None:
    with ThreadPoolExecutor(4) as pool:
        nudges = []
        for number in range(12):
            landing.land(CALENDAR, EVENTS, events(5, first=5 * number))
            nudges.append(pool.submit(graph.advance, user))
        assert sum(nudge.result().records for nudge in nudges) == 60

    assert graph.lag(user) == {CALENDAR: 0}
    assert landing.differences() == []


def test_what_lands_before_the_lease_is_released_is_looked_for_after_it(
    user: str, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land(CALENDAR, EVENTS, events(2))
    release = lease._release
    late = [events(3, first=2)]

    def land_and_release(mine: lease.Lease) -> None:
        if late:
            landing.land(CALENDAR, EVENTS, late.pop())
            assert graph.advance(user) == graph.Advanced(0, 0)  # its nudge finds the user busy
        release(mine)

    monkeypatch.setattr(lease, "_release", land_and_release)

    assert graph.advance(user).records == 5
    assert graph.lag(user) == {CALENDAR: 0}


def test_many_users_advance_at_once(user: str, landing: Landing) -> None:
    landings = [type(landing)(f"{user}-{number}") for number in range(6)]
    for each in landings:
        each.land(CALENDAR, EVENTS, events(100))
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda each: graph.advance(each.user_id).records, landings))
    assert done == [100] * 6
    assert [each.differences() for each in landings] == [[]] * 6


def test_a_crash_between_the_graph_and_the_watermark_does_no_harm(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(20))
    (lag,) = watermark.lags(user)
    with holding(user) as mine:
        for batch in batches(watermark.records(lag)):
            graph.apply(user, mine.fence, batch.changes)
    landing.land(CALENDAR, EVENTS, {"e3": None})

    assert graph.advance(user).records == 20

    assert landing.differences() == []


def test_a_killed_worker_does_no_harm(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(1500))
    code = f"from pipeline.projections import graph; graph.advance({user!r})"
    worker = subprocess.Popen([sys.executable, "-c", code])
    _until(lambda: landing.watermark(CALENDAR).get("seq", 0) > 0)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert 0 < landing.watermark(CALENDAR)["seq"] <= 1500

    collection(ProjectionLease).update_many({}, {"$set": {"lease_until": datetime.now(UTC)}})
    graph.advance(user)

    assert landing.differences() == []
    assert graph.lag(user) == {CALENDAR: 0}


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_rebuild_takes_over_from_a_writer_at_work(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(30))
    (lag,) = watermark.lags(user)
    with holding(user) as mine:
        (batch,) = batches(watermark.records(lag))
        graph.rebuild(user)
        with pytest.raises(LeaseLost):
            graph.apply(user, mine.fence, batch.changes)
        with pytest.raises(LeaseLost):
            renew(mine)
        watermark.move(lag, 30, mine.fence)
    assert landing.watermark(CALENDAR)["seq"] == 0
    graph.advance(user)
    assert landing.differences() == []
