"""The scheduler's ticks: each is sent once, whoever sends it and whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from redis.exceptions import RedisError
from waiting import wait_until

import scheduler
from pipeline.jobs import controls
from pipeline.jobs.reading import depth, page
from pipeline.schedules import SCHEDULES, schedule_named
from pipeline.stores import redis_client
from pipeline.ticks import last_ticks, send_tick
from scheduler import Ticks, follow_clock

Setting = Callable[..., None]

SLOT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DISPATCH, SWEEP = schedule_named("dispatch"), schedule_named("sweep")


@contextmanager
def full_redis() -> Iterator[None]:
    """Let Redis refuse whatever takes memory."""
    redis_client().config_set("maxmemory", 1)
    try:
        yield
    finally:
        redis_client().config_set("maxmemory", 0)


def done_with() -> None:
    """End the jobs that were sent, as a worker would."""
    for job in page(None, "waiting", limit=100).jobs:
        controls.cancel(job.message_id)


def test_many_schedulers_send_a_tick_once(stores: None) -> None:
    sent: list[bool] = []
    threads = [
        threading.Thread(target=lambda: sent.append(send_tick(DISPATCH, SLOT).created))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 1
    assert depth("data-sync").waiting == 1


def test_a_tick_is_not_sent_again_after_its_job_has_ended(stores: None) -> None:
    assert send_tick(DISPATCH, SLOT).created
    done_with()
    assert not send_tick(DISPATCH, SLOT).created
    assert depth("data-sync").waiting == 0


def test_the_next_tick_is_another_and_so_is_that_of_another_schedule(stores: None) -> None:
    assert send_tick(DISPATCH, SLOT).created
    assert send_tick(SWEEP, SLOT).created
    done_with()
    assert send_tick(DISPATCH, SLOT + MINUTE).created


def test_a_tick_finds_the_job_of_the_last_one_while_that_waits(stores: None) -> None:
    first = send_tick(DISPATCH, SLOT)
    second = send_tick(DISPATCH, SLOT + MINUTE)
    assert (second.message_id, second.created) == (first.message_id, False)


def test_the_newest_tick_of_each_schedule_is_known(stores: None) -> None:
    assert last_ticks() == {}
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    sent = send_tick(DISPATCH, SLOT + MINUTE)
    send_tick(DISPATCH, SLOT)  # by a scheduler that was stopped for a minute
    send_tick(SWEEP, SLOT)
    ticks = last_ticks()
    assert {name: tick.slot for name, tick in ticks.items()} == {
        "dispatch": SLOT + MINUTE,
        "sweep": SLOT,
    }
    assert ticks["dispatch"].message_id == sent.message_id
    assert before <= ticks["dispatch"].sent_at <= datetime.now(UTC)


def test_who_sent_a_tick_stays_known_when_others_come_too_late(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_tick(DISPATCH, SLOT)
    sender = last_ticks()["dispatch"]
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    send_tick(DISPATCH, SLOT)
    assert last_ticks()["dispatch"] == sender


def test_a_tick_that_redis_refuses_is_sent_once_it_takes_it(stores: None) -> None:
    ticks = Ticks()
    with full_redis():
        assert not ticks.send(DISPATCH, SLOT)
        assert not ticks.send(DISPATCH, SLOT + MINUTE)
        with pytest.raises(RedisError):
            send_tick(DISPATCH, SLOT)
        ticks.send_again()
    assert ticks.unsent == {"dispatch": SLOT + MINUTE}
    ticks.send_again()
    assert ticks.unsent == {}
    assert last_ticks()["dispatch"].slot == SLOT + MINUTE
    assert depth("data-sync").waiting == 1


@pytest.fixture
def paused_scheduler(servers: dict[str, str]) -> Iterator[BackgroundScheduler]:
    """A scheduler that knows its next ticks and sends none."""
    made = scheduler.build(Ticks())
    made.start(paused=True)
    yield made
    made.shutdown(wait=False)


def next_ticks(made: BackgroundScheduler) -> dict[str, datetime]:
    return {job.id: job.next_run_time for job in made.get_jobs()}


def test_the_scheduler_has_every_schedule(paused_scheduler: BackgroundScheduler) -> None:
    assert next_ticks(paused_scheduler) == {schedule.name: ANY for schedule in SCHEDULES}


def test_a_clock_that_was_ahead_and_is_set_right_silences_nothing(
    paused_scheduler: BackgroundScheduler,
) -> None:
    now = datetime.now(UTC)
    for job in paused_scheduler.get_jobs():
        job.modify(next_run_time=now + timedelta(hours=1))
    follow_clock(paused_scheduler, now)
    assert all(moment <= now + 5 * MINUTE for moment in next_ticks(paused_scheduler).values())


def test_a_tick_that_is_due_stays_due(paused_scheduler: BackgroundScheduler) -> None:
    late = datetime.now(UTC) - timedelta(seconds=3)
    for job in paused_scheduler.get_jobs():
        job.modify(next_run_time=late)
    follow_clock(paused_scheduler, datetime.now(UTC))
    assert set(next_ticks(paused_scheduler).values()) == {late}


def test_ticks_that_were_missed_are_sent_as_one_with_their_nominal_time(
    stores: None, setting: Setting
) -> None:
    setting(CRON_DISPATCH="* * * * * *", CRON_SWEEP="0 0 1 1 *")
    made = scheduler.build(Ticks())
    missed = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    made.start(paused=True)
    made.get_job("dispatch").modify(next_run_time=missed)
    made.resume()
    wait_until(last_ticks, "a tick is sent")
    made.shutdown(wait=False)
    slot = last_ticks()["dispatch"].slot
    assert (slot.microsecond, slot > missed + timedelta(seconds=3)) == (0, True)
    assert len(list(redis_client().scan_iter("headrace:jobs:once:*"))) < 5
