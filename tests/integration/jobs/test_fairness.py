"""Who waits for whom within a queue.

The bound: of a tenant's first waiting job, no more other jobs start before it than there are
other tenants with waiting jobs, beside what workers have in hand already (a queue's concurrency
in each process).  The same holds for users, or whatever else makes a lane, of one tenant.
"""

from __future__ import annotations

import pytest
from clock import use_clock
from probes import (
    Hand,
    Probes,
    assert_consistent,
    entry,
    look,
    members,
    queue,
    send,
)
from waiting import wait_until

from pipeline import dispatch
from pipeline.jobs import controls
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import DATA_SYNC, StartLimit

MANY = 20_000


@pytest.fixture
def crowded(probes: Probes) -> Probes:
    """One tenant has 20,000 jobs waiting in data-sync, nine others have a few each."""
    probes.add("sync", DATA_SYNC, "user_id", "source")
    dispatch.send_many(
        Send("sync", (f"big{n}", "google_gmail"), tenant_id="big") for n in range(MANY)
    )
    dispatch.send_many(
        Send("sync", (f"{tenant}-{n}", "google_gmail"), tenant_id=f"small{tenant}")
        for tenant in range(9)
        for n in range(5)
    )
    return probes


def started_before(message_id: str, fetch_at_once: int) -> int:
    """Fetch until this job comes; return how many came before it."""
    hand, before = Hand(), 0
    while fetched := hand.fetch(DATA_SYNC, fetch_at_once):
        ids = [proxy.message_id for proxy in fetched]
        if message_id in ids:
            return before + ids.index(message_id)
        before += len(fetched)
    raise AssertionError("it never came")


@pytest.mark.parametrize("fetch_at_once", [1, 3])
def test_one_job_of_a_tenant_waits_for_one_job_of_each_other_tenant_at_most(
    crowded: Probes, fetch_at_once: int
) -> None:
    other_tenants = 10
    Hand().fetch(DATA_SYNC, 4)  # the turns are somewhere in the middle
    message_id = send("sync", "alice", "google_gmail", tenant_id="late").message_id
    assert started_before(message_id, fetch_at_once) <= other_tenants


def test_jobs_without_a_tenant_are_one_tenant_among_the_others(crowded: Probes) -> None:
    message_id = send("sync", "alice", "google_gmail").message_id
    assert started_before(message_id, 1) <= 10


def test_a_tenant_that_comes_back_again_and_again_gets_every_turn(crowded: Probes) -> None:
    hand = Hand()
    for n in range(20):
        send("sync", f"alice{n}", "google_gmail", tenant_id="late")
        fetched = hand.fetch(DATA_SYNC, 11)
        assert [proxy.args[0] for proxy in fetched].count(f"alice{n}") == 1


def test_tenants_take_turns_until_they_have_nothing_left(probes: Probes) -> None:
    table = queue()
    probes.add("work", table, "user_id", "number")
    for tenant, jobs in (("a", 6), ("b", 2), ("c", 1)):
        enqueue(
            [Send("work", ("u", n), tenant_id=tenant, job_id=f"{tenant}{n}") for n in range(jobs)]
        )
    order = "".join(proxy.delivery.job_id[0] for proxy in Hand().fetch(table, 20))
    assert order == "abcabaaaa"


def test_users_of_a_tenant_take_turns(probes: Probes) -> None:
    table = queue()
    probes.add("work", table, "user_id", "number")
    enqueue([Send("work", ("busy", n), tenant_id="acme") for n in range(500)])
    Hand().fetch(table, 3)
    send("work", "alice", 1, tenant_id="acme")
    assert "alice" in [proxy.args[0] for proxy in Hand().fetch(table, 2)]


def test_jobs_of_one_lane_start_in_the_order_in_which_they_were_sent(probes: Probes) -> None:
    table = queue()
    probes.add("work", table, "user_id", "number")
    sent = enqueue([Send("work", ("alice", n)) for n in range(50)])
    hand = Hand()
    order = [proxy.message_id for _ in range(10) for proxy in hand.fetch(table, 5)]
    assert order == [one.message_id for one in sent]


def test_a_tenant_that_may_not_start_anything_takes_no_turns(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = use_clock(monkeypatch)
    table = queue(limits=(StartLimit("tenant", 1, 60.0),))
    probes.add("work", table, "user_id")
    enqueue([Send("work", (f"u{n}",), tenant_id="limited") for n in range(2000)])
    hand = Hand()
    assert len(hand.fetch(table, 10)) == 1
    assert look(table) == [False]  # the tenant is closed as a whole
    send("work", "alice", tenant_id="late")
    assert hand.one(table).args == ("alice",)
    clock.advance(64.001)
    assert look(table) == [True]
    assert len(hand.fetch(table, 10)) == 1


def test_a_worker_with_its_hands_full_starts_the_late_one_next(crowded: Probes) -> None:
    started: list[str] = []
    table = DATA_SYNC

    def sync(user_id: str, source: str) -> None:
        started.append(user_id)

    crowded.run(sync, table)
    with crowded.working(threads=4):
        wait_until(lambda: len(started) > 100, "the worker is busy")
        send("sync", "alice", "google_gmail", tenant_id="late")
        at = len(started)
        wait_until(lambda: "alice" in started, "the late one has started")
    # Beside the bound: what started while this test wrote down where it was.
    assert started.index("alice") - at <= 10 + table.concurrency + 5
    assert len(members(table, "waiting")) > MANY / 2


def test_handing_back_keeps_the_order(probes: Probes) -> None:
    table = queue()
    probes.add("work", table, "user_id", "number")
    sent = enqueue([Send("work", ("alice", n)) for n in range(6)])
    hand = Hand()
    hand.give_back(hand.fetch(table, 4))
    assert [proxy.message_id for proxy in hand.fetch(table, 6)] == [one.message_id for one in sent]
    assert entry(sent[0].message_id).attempts == 1
    assert entry(sent[0].message_id).deliveries == 2
    assert_consistent()


def test_what_comes_due_waits_behind_what_waits_already(probes: Probes) -> None:
    table = queue()
    probes.add("work", table, "user_id", "number")
    due = send("work", "alice", 1, delay_seconds=0.05).message_id
    first = send("work", "alice", 2).message_id
    wait_until(lambda: look(table) and not members(table, "delayed"), "it is due", 5, 0.01)
    promoted = send("work", "alice", 3, delay_seconds=60).message_id
    assert controls.promote(promoted)
    assert [proxy.message_id for proxy in Hand().fetch(table, 5)] == [promoted, first, due]
