"""The tick finds whose subscriptions must be looked at, and sends no more than workers can take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pushed import CALENDAR, GMAIL, TOPIC, jobs, no_jobs, state_of, subscription

from models import SyncState
from pipeline import push
from pipeline.dispatch import send_many
from pipeline.jobs.sending import Send
from pipeline.push.renewal import HIGH_WATER
from pipeline.stores import collection

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def reachable(stores: None, setting: Any) -> None:
    """Both sources can be pushed, as far as settings go."""
    setting(
        PUBLIC_BASE_URL="https://headrace.example",
        GOOGLE_PUBSUB_TOPIC=TOPIC,
        GOOGLE_PUBSUB_SERVICE_ACCOUNT="push@headrace.example",
    )


def due_at(user_id: str) -> datetime:
    state = collection(SyncState).find_one({"user_id": user_id})
    assert state is not None
    found: datetime = state["push"]["due_at"]
    return found


def test_a_user_whose_first_job_was_lost_is_found(stores: None) -> None:
    state_of("synced", fresh_as_of=NOW)
    state_of("synced", GMAIL, fresh_as_of=NOW)
    state_of("synced", "google_tasks", fresh_as_of=NOW)
    state_of("new")
    push.renew_subscriptions()
    assert jobs("subscribe") == [("synced", CALENDAR), ("synced", GMAIL)]


def test_a_job_that_is_lost_is_sent_again_but_not_at_once(stores: None) -> None:
    state_of("ada", push={"due_at": NOW - HOUR})
    push.renew_subscriptions()
    no_jobs()
    push.renew_subscriptions()
    assert jobs("subscribe") == []
    collection(SyncState).update_one({}, {"$set": {"push.due_at": NOW}})
    push.renew_subscriptions()
    assert jobs("subscribe") == [("ada", CALENDAR)]


def test_what_is_not_due_is_left_alone(stores: None) -> None:
    state_of("ada", push={"due_at": NOW + HOUR}, fresh_as_of=NOW)
    push.renew_subscriptions()
    assert jobs("subscribe") == []


@pytest.mark.parametrize("status", ["paused", "needs_reauth"])
def test_who_waits_for_a_person_is_looked_at_seldom(stores: None, status: str) -> None:
    state_of("ada", status=status, push={"due_at": NOW - HOUR})
    push.renew_subscriptions()
    assert jobs("subscribe") == []
    assert due_at("ada") > NOW + HOUR / 2


def test_while_enough_jobs_wait_no_more_are_sent(stores: None) -> None:
    for number in range(3):
        state_of(f"user{number}", push={"due_at": NOW - HOUR})
    send_many(Send("subscribe", (f"waiting{n}", CALENDAR)) for n in range(HIGH_WATER))
    push.renew_subscriptions()
    first = len(jobs("subscribe"))
    state_of("late", push={"due_at": NOW - HOUR})
    push.renew_subscriptions()
    assert len(jobs("subscribe")) == first


def test_any_number_of_users_is_reached_batch_by_batch(stores: None) -> None:
    template = state_of("user", push={"due_at": NOW - HOUR})
    del template["_id"]
    rows = [template | {"user_id": f"user{n:04}"} for n in range(650)]
    collection(SyncState).insert_many(rows)
    assert "651 looked at" in push.renew_subscriptions()
    collection(SyncState).delete_many({})  # the next test would look for the graph of each


@pytest.mark.parametrize("missing", ["PUBLIC_BASE_URL", "GOOGLE_PUBSUB_TOPIC"])
def test_what_cannot_be_pushed_is_not_tried(stores: None, setting: Any, missing: str) -> None:
    state_of("ada", GMAIL, fresh_as_of=NOW)
    setting(**{missing: ""})
    push.renew_subscriptions()
    assert jobs("subscribe") == []


def test_who_is_pushed_to_an_address_that_is_not_ours_is_found(stores: None) -> None:
    state_of("ada", push={"due_at": NOW + HOUR}, fresh_as_of=NOW)
    subscription(user_id="ada", target="https://old.example/webhooks/google/calendar")
    push.renew_subscriptions()
    assert jobs("subscribe") == [("ada", CALENDAR)]


def test_a_wish_is_kept_also_if_its_job_is_lost(stores: None) -> None:
    state_of("ada", push={"due_at": NOW + HOUR}, fresh_as_of=NOW)
    assert push.request("ada", CALENDAR)
    no_jobs()
    push.renew_subscriptions()
    assert jobs("subscribe") == [("ada", CALENDAR)]
    assert not push.request("ada", "google_tasks")
