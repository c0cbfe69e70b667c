"""Who gets a job, and when again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from models import SyncState
from pipeline.stores import collection
from pipeline.sync import dispatcher, states

Setting = Callable[..., None]


@pytest.fixture
def users(stores: None) -> list[str]:
    names = [f"user-{number:03}" for number in range(25)]
    for name in names:
        states.ensure(name, "google_contacts", datetime.now(UTC))
    return names


def send_all(waiting: int = 0) -> list[tuple[str, str]]:
    sent: list[tuple[str, str]] = []
    dispatcher.queue_due(sent.extend, lambda: waiting)
    return sent


def test_everyone_who_is_due_gets_one_job(users: list[str]) -> None:
    assert sorted(user for user, _ in send_all()) == users
    assert send_all() == []


def test_dispatch_stops_while_the_queue_is_deep(users: list[str], setting: Setting) -> None:
    setting(DISPATCH_HIGH_WATER=10)
    assert send_all(waiting=10) == []
    assert len(send_all(waiting=9)) == len(users)


@pytest.mark.parametrize("status", ["queued", "syncing", "error", "rate_limited", "idle"])
def test_whatever_was_lost_is_found_again(users: list[str], status: str) -> None:
    send_all()
    past = datetime.now(UTC) - timedelta(seconds=1)
    collection(SyncState).update_many({}, {"$set": {"status": status, "next_due_at": past}})
    assert len(send_all()) == len(users)


@pytest.mark.parametrize("status", ["paused", "needs_reauth"])
def test_who_waits_for_a_person_gets_no_job(users: list[str], status: str) -> None:
    collection(SyncState).update_many({}, {"$set": {"status": status, "next_due_at": None}})
    assert send_all() == []


def test_a_lost_job_is_sent_again_after_a_while(users: list[str], setting: Setting) -> None:
    setting(REQUEUE_AFTER_SECONDS=0.001)
    assert len(dispatcher.take_due(datetime.now(UTC))) == len(users)
    assert len(dispatcher.take_due(datetime.now(UTC) + timedelta(seconds=1))) == len(users)


def test_large_fleets_are_marked_in_batches(users: list[str]) -> None:
    now = datetime.now(UTC)
    taken = [len(dispatcher.take_due(now, limit=10)) for _ in range(4)]
    assert taken == [10, 10, 5, 0]
