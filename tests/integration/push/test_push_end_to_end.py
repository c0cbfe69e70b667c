"""From a change at the provider to the copy, over HTTP, with what can go wrong on the way."""

from __future__ import annotations

from typing import Any

import pytest
from pushed import ACCOUNT, CALENDAR, GMAIL, TOPIC, Pushed, connected, jobs, no_jobs, put_event
from waiting import wait_until

from models import SyncState
from pipeline import push
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.sync import engine


@pytest.fixture
def user(sandbox: SandboxClient, address: str, sandbox_url: str, setting: Any) -> Pushed:
    """A user whose calendars and mailbox are pushed to us."""
    setting(
        PUBLIC_BASE_URL=address,
        GOOGLE_PUBSUB_TOPIC=TOPIC,
        GOOGLE_PUBSUB_SERVICE_ACCOUNT=ACCOUNT,
        GOOGLE_CERTS_URL=f"{sandbox_url}/oauth2/v1/certs",
    )
    sandbox.settings(push_attempts=3, push_backoff_seconds=0.01, gmail_push_interval_seconds=0)
    sandbox.topic(TOPIC, f"{address}/webhooks/google/gmail")
    found = connected(sandbox)
    for source in (CALENDAR, GMAIL):
        found.sync(source)
        found.subscribe(source)
    sandbox.wait_until_quiet()
    settle()
    return found


def settle() -> None:
    """Do all jobs that notifications lead to, until there are none."""
    while notifications := jobs("notification"):
        no_jobs()
        for (subscription_id,) in notifications:
            push.act_on(subscription_id)
        for user_id, source in jobs("sync"):
            engine.sync(user_id, source)


def idle(user: Pushed) -> None:
    """Let nothing be due but what is pushed."""
    never = {"next_due_at": None, "status": "idle", "requested_at": None}
    collection(SyncState).update_many({"user_id": user.user_id}, {"$set": never})


def found_by_a_poll(user: Pushed) -> int:
    """Return how many changes the copy has missed."""
    return sum(user.sync(source).counts.changed for source in (CALENDAR, GMAIL))


def test_channels_confirm_themselves(user: Pushed) -> None:
    assert all(row.get("confirmed_at") for row in user.rows())


def test_a_change_of_a_calendar_arrives_without_a_poll(user: Pushed) -> None:
    idle(user)
    stream = next(row["stream"] for row in user.rows() if "/" in row["stream"])
    put_event(user, stream.removeprefix("events/"), "pushedevent1")
    wait_until(lambda: jobs("notification"), "the notification's job")
    settle()
    assert found_by_a_poll(user) == 0
    [row] = user.rows(stream=stream)
    assert row["events"] == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_doubled_and_reordered_notifications_change_nothing_about_the_copy(
    user: Pushed, seed: int
) -> None:
    idle(user)
    for kind, params in (("push_duplicate", {}), ("push_reorder", {"seconds": 0.05})):
        user.sandbox.fault(kind, probability=0.5, times=None, seed=seed, params=params)
    user.sandbox.mutate(seed=seed, changes=60, users=[user.user_id])
    user.sandbox.wait_until_quiet()
    user.sandbox.clear_faults()
    wait_until(lambda: jobs("notification"), "the notifications' jobs")
    settle()
    assert found_by_a_poll(user) == 0


@pytest.mark.parametrize("kind", ["push_wrong_token", "push_wrong_jwt"])
def test_forged_notifications_make_nobody_due(user: Pushed, kind: str) -> None:
    idle(user)
    params = {"how": "wrong_key"} if kind == "push_wrong_jwt" else {}
    api = "calendar" if kind == "push_wrong_token" else "gmail"
    user.sandbox.fault(kind, times=None, match={"api": api}, params=params)
    other = "gmail" if api == "calendar" else "calendar"
    user.sandbox.fault("push_lose", times=None, match={"api": other})
    user.sandbox.mutate(seed=5, changes=30, users=[user.user_id])
    user.sandbox.wait_until_quiet()
    user.sandbox.clear_faults()
    assert jobs("notification") == []
