"""Who gets a job, and when again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from models import SyncState, User
from pipeline.jobs import controls
from pipeline.jobs.reading import page
from pipeline.stores import collection, redis_client
from pipeline.sync import lanes, states
from pipeline.sync.dispatcher import queue_due, take_due
from pipeline.sync.held import in_words

Setting = Callable[..., None]
MAILS, PEOPLE, MICROSOFT = "google_gmail", "google_contacts", "microsoft_mail"


@pytest.fixture
def users(stores: None) -> list[str]:
    """25 users whose contacts are due; every fifth is of tenant acme."""
    names = [f"user-{number:03}" for number in range(25)]
    now = datetime.now(UTC)
    for number, name in enumerate(names):
        tenant = "acme" if number % 5 == 0 else "default"
        collection(User).insert_one({"_id": name, "tenant_id": tenant, "created_at": now})
        states.ensure(name, PEOPLE, now)
    return names


def queued() -> list[str]:
    """Return the job ids that wait, in alphabetical order."""
    return sorted(job.job_id for job in page("data-sync", "waiting", limit=1000).jobs)


def ids(users: list[str], source: str = PEOPLE) -> list[str]:
    return [f"sync:{source}:{user}" for user in users]


def pause(scope: str, seconds: float | None = 60) -> None:
    until = datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None
    controls.pause(scope, reason="a test", by="ada", until=until)


def test_everyone_who_is_due_gets_one_job(users: list[str]) -> None:
    assert queue_due().queued == len(users)
    assert queued() == ids(users)
    assert queue_due().queued == 0


def test_jobs_bear_the_tenant_of_their_user(users: list[str]) -> None:
    queue_due()
    tenants = {job.job_id: job.scope("tenant") for job in page("data-sync", None, limit=100).jobs}
    assert tenants["sync:google_contacts:user-005"] == "acme"
    assert tenants["sync:google_contacts:user-006"] == "default"


def test_connecting_again_gives_a_state_the_tenant_that_it_lacks(users: list[str]) -> None:
    collection(SyncState).update_many({}, {"$unset": {"tenant_id": 1}})
    states.ensure(users[0], PEOPLE, datetime.now(UTC))
    found = {row["user_id"]: row.get("tenant_id") for row in collection(SyncState).find()}
    assert (found[users[0]], found[users[1]]) == ("acme", None)
    queue_due()
    [job] = [job for job in page("data-sync", None, limit=100).jobs if users[1] in job.job_id]
    assert job.scope("tenant") == "default"


def test_dispatch_stops_while_the_queue_is_deep(users: list[str], setting: Setting) -> None:
    setting(DISPATCH_HIGH_WATER=len(users))
    queue_due()
    states.ensure("bob", PEOPLE, datetime.now(UTC))
    assert queue_due().queued == 0
    redis_client().flushdb()  # all that waited is done
    assert queue_due().queued == 1


@pytest.mark.parametrize("status", ["queued", "syncing", "error", "rate_limited", "idle"])
def test_whatever_was_lost_is_found_again(users: list[str], status: str) -> None:
    queue_due()
    redis_client().flushdb()
    past = datetime.now(UTC) - timedelta(seconds=1)
    collection(SyncState).update_many({}, {"$set": {"status": status, "next_due_at": past}})
    assert queue_due().queued == len(users)


def test_what_waits_already_is_not_queued_twice(users: list[str]) -> None:
    queue_due()
    past = datetime.now(UTC) - timedelta(seconds=1)
    collection(SyncState).update_many({"user_id": users[3]}, {"$set": {"next_due_at": past}})
    done = queue_due()
    assert (done.queued, done.already, str(done)) == (0, 1, "0 queued, 1 queued before")
    assert queued() == ids(users)


@pytest.mark.parametrize("status", ["paused", "needs_reauth"])
def test_who_waits_for_a_person_gets_no_job(users: list[str], status: str) -> None:
    collection(SyncState).update_many({}, {"$set": {"status": status, "next_due_at": None}})
    assert queue_due().queued == 0


def test_a_lost_job_is_sent_again_after_a_while(users: list[str], setting: Setting) -> None:
    setting(REQUEUE_AFTER_SECONDS=0.001)
    assert len(take_due(datetime.now(UTC))) == len(users)
    assert len(take_due(datetime.now(UTC) + timedelta(seconds=1))) == len(users)


def test_large_fleets_are_marked_in_batches(users: list[str]) -> None:
    now = datetime.now(UTC)
    assert [len(take_due(now, limit=10)) for _ in range(4)] == [10, 10, 5, 0]


def test_a_paused_source_gets_no_jobs_and_the_others_do(users: list[str]) -> None:
    for user in users[:3]:
        states.ensure(user, MAILS, datetime.now(UTC))
    pause(f"source:{MAILS}")
    done = queue_due()
    assert queued() == ids(users)
    assert "google_gmail: paused until" in str(done)
    controls.resume(f"source:{MAILS}")
    assert queue_due().queued == 3


def test_a_paused_tenant_gets_no_jobs_and_the_others_do(users: list[str]) -> None:
    pause("tenant:acme", seconds=None)
    assert str(queue_due()).startswith("20 queued; tenant acme: paused by ada until somebody")
    assert queued() == ids([user for user in users if int(user[-3:]) % 5])


def test_a_paused_default_tenant_holds_states_that_do_not_know_their_tenant(
    users: list[str],
) -> None:
    collection(SyncState).update_many({"tenant_id": "default"}, {"$unset": {"tenant_id": 1}})
    pause("tenant:default")
    assert queue_due().queued == 5


def test_a_paused_user_gets_no_jobs(users: list[str]) -> None:
    pause(f"user:{users[7]}")
    queue_due()
    assert queued() == ids([user for user in users if user != users[7]])


def test_a_paused_queue_is_not_filled_at_all(users: list[str]) -> None:
    pause("queue:data-sync")
    done = queue_due()
    assert done.queued == 0
    assert "queue data-sync: paused by ada until" in str(done)
    assert collection(SyncState).count_documents({"status": "queued"}) == 0


def test_a_pause_of_something_else_changes_nothing(users: list[str]) -> None:
    pause("queue:graph")
    pause("mailbox:m1")
    assert str(queue_due()) == "25 queued"


def test_mailboxes_have_a_lane_of_their_own(users: list[str]) -> None:
    for number, user in enumerate(users[:4]):
        states.ensure(user, MICROSOFT, datetime.now(UTC), mailbox_id=f"m{number}")
    states.ensure("eve", MICROSOFT, datetime.now(UTC))  # no mailbox was opened yet
    pause("queue:data-sync")
    pause("mailbox:m2")
    assert queue_due().queued == 0
    done = queue_due(lanes.MAIL)
    assert str(done).startswith("4 queued; mailbox m2: paused by ada until")
    found = page("delta-sync", "waiting", limit=10).jobs
    assert {job.job_id: job.arguments for job in found} == {
        f"delta_sync:{MICROSOFT}:{user}": (user, MICROSOFT, mailbox)
        for user, mailbox in [(users[0], "m0"), (users[1], "m1"), (users[3], "m3"), ("eve", "eve")]
    }
    controls.resume("queue:data-sync")
    pause("queue:delta-sync")
    assert queue_due().queued == len(users)
    controls.resume("mailbox:m2")
    assert queue_due(lanes.MAIL).queued == 0
    controls.resume("queue:delta-sync")
    assert queue_due(lanes.MAIL).queued == 1


def test_a_pause_that_has_ended_holds_nothing(users: list[str]) -> None:
    pause(f"source:{PEOPLE}", seconds=-1)
    assert queue_due().queued == len(users)


def test_what_waits_in_a_paused_source_does_not_keep_the_others_out(
    users: list[str], setting: Setting
) -> None:
    setting(DISPATCH_HIGH_WATER=len(users))
    queue_due()
    pause(f"source:{PEOPLE}")
    states.ensure("bob", MAILS, datetime.now(UTC))
    assert queue_due().queued == 1


def test_a_pause_for_longer_than_today_names_the_day(stores: None) -> None:
    until = datetime(2199, 1, 2, 3, 4, 5, tzinfo=UTC)
    controls.pause("source:google_tasks", reason="daily quota", by="quota", until=until)
    [found] = controls.pauses()
    assert in_words(found) == "google_tasks: paused until 2199-01-02 03:04:05 UTC, daily quota"
