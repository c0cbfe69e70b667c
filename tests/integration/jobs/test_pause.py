"""Pausing a queue or a scope: nothing of it starts, others go on, and nothing is churned."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from clock import Clock, use_clock
from probes import (
    Hand,
    Probes,
    assert_consistent,
    entry,
    look,
    members,
    queue,
    send,
    until_idle,
)
from waiting import wait_until

from pipeline.jobs import controls, layout
from pipeline.jobs.controls import Pause
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import Keep
from pipeline.stores import redis_client

QUEUE = queue(keep_completed=Keep(10_000))
#: A job of each, in this order: (tenant, user, source).
JOBS = [
    (tenant, user, source)
    for tenant, user in (("acme", "alice"), ("acme", "bob"), ("zeta", "carol"))
    for source in ("gmail", "tasks")
]


def in_(seconds: float) -> datetime:
    """Return a moment to come."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def pause(scope: str, seconds: float | None = None) -> bool:
    """Pause a scope for a while, or until it is resumed."""
    return controls.pause(
        scope, reason="a test", by="tester", until=None if seconds is None else in_(seconds)
    )


def pause_at(clock: Clock, scope: str, seconds: float, **more: bool) -> bool:
    """Pause a scope for a while, by a clock of the test's own."""
    return controls.pause(scope, reason="a test", by="tester", until=clock.moment(seconds), **more)


@pytest.fixture
def sync(probes: Probes) -> Probes:
    """A job that nobody runs by itself."""
    probes.add("sync", QUEUE, "user_id", "source")
    return probes


@pytest.fixture
def clock(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the scripts."""
    return use_clock(monkeypatch)


def send_all() -> list[str]:
    """Enqueue all JOBS."""
    sends = [Send("sync", (user, source), tenant_id=tenant) for tenant, user, source in JOBS]
    return [one.message_id for one in enqueue(sends)]


def users_and_sources(hand: Hand) -> set[tuple[str, str]]:
    """Fetch all that may start."""
    return {(proxy.args[0], proxy.args[1]) for proxy in hand.fetch(QUEUE, 20)}


#: What of JOBS each scope holds: words that a job has one of.
SCOPES = {
    "queue:probe": {"acme", "zeta"},
    "tenant:acme": {"acme"},
    "user:alice": {"alice"},
    "source:gmail": {"gmail"},
    "queue:graph": set(),
    "user:ali": set(),
    "tenant:alice": set(),
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("when", ["before they are sent", "while they wait"])
def test_nothing_of_a_paused_scope_starts_and_all_else_does(
    sync: Probes, scope: str, when: str
) -> None:
    if when == "before they are sent":
        pause(scope)
    message_ids = send_all()
    if when == "while they wait":
        pause(scope)
    hand, held = Hand(), {job[1:] for job in JOBS if SCOPES[scope] & set(job)}
    look(QUEUE)
    assert users_and_sources(hand) == {job[1:] for job in JOBS} - held
    assert users_and_sources(hand) == set()
    assert_consistent()
    assert controls.resume(scope)
    look(QUEUE)
    assert users_and_sources(hand) == held
    assert {entry(message_id).deliveries for message_id in message_ids} == {1}
    assert_consistent()


def test_what_runs_when_its_scope_is_paused_runs_to_its_end(sync: Probes) -> None:
    message_id = send("sync", "alice", "gmail").message_id
    hand = Hand()
    proxy = hand.one(QUEUE)
    pause("user:alice")
    assert hand.end(proxy)
    assert entry(message_id).state == "completed"


def test_what_comes_due_in_a_pause_waits(sync: Probes) -> None:
    send("sync", "alice", "gmail", delay_seconds=0.01)
    pause("user:alice")
    wait_until(lambda: look(QUEUE) and members(QUEUE, "waiting"), "it is due")
    assert Hand().fetch(QUEUE) == []
    controls.resume("user:alice")
    look(QUEUE)
    assert Hand().one(QUEUE)


def test_two_pauses_hold_until_both_have_ended(sync: Probes) -> None:
    send("sync", "alice", "gmail", tenant_id="acme")
    for scope in ("tenant:acme", "user:alice", "source:gmail"):
        pause(scope)
    hand = Hand()
    for scope in ("user:alice", "tenant:acme"):
        assert hand.fetch(QUEUE) == []
        controls.resume(scope)
        look(QUEUE)
    assert hand.fetch(QUEUE) == []
    controls.resume("source:gmail")
    look(QUEUE)
    assert hand.one(QUEUE)


def test_a_worker_neither_fetches_nor_moves_what_is_paused(probes: Probes) -> None:
    ran: Counter[str] = Counter()

    def sync(user_id: str, source: str) -> None:
        ran[user_id] += 1

    probes.run(sync, QUEUE)
    pause("user:alice")
    paused = enqueue([Send("sync", ("alice", f"s{n}")) for n in range(100)])
    with probes.working():
        enqueue([Send("sync", ("bob", f"s{n}")) for n in range(100)])
        wait_until(lambda: ran["bob"] == 100, "the others have run")
        time.sleep(0.15)
        before = redis_client().info("commandstats")
        time.sleep(0.5)
        after = redis_client().info("commandstats")
        for command in ("hincrby", "zadd", "lpop", "rpush"):
            name = f"cmdstat_{command}"
            assert after[name]["calls"] == before[name]["calls"], command
    with probes.working():  # it survives a restart of the worker
        time.sleep(0.3)
        assert ran["alice"] == 0
        assert {entry(one.message_id).deliveries for one in paused} == {0}
        controls.resume("user:alice")
        until_idle(QUEUE)
    assert ran["alice"] == 100
    assert {entry(one.message_id).deliveries for one in paused} == {1}


@pytest.mark.parametrize("scope", ["queue:probe", "user:alice", "tenant:acme"])
def test_a_timed_pause_ends_by_itself(probes: Probes, scope: str) -> None:
    started: list[float] = []

    def sync(user_id: str, source: str) -> None:
        started.append(time.time())

    probes.run(sync, QUEUE)
    begin = time.time()
    pause(scope, 0.6)
    send("sync", "alice", "gmail", tenant_id="acme")
    with probes.working():
        wait_until(lambda: started, "the pause has ended")
        assert 0.6 <= started[0] - begin < 2.5
        assert controls.pauses() == []
        until_idle(QUEUE)
    assert_consistent()


def test_a_pause_that_is_made_shorter_ends_sooner(sync: Probes, clock: Clock) -> None:
    send_all()
    hand = Hand()
    for scope in ("user:alice", "tenant:zeta"):
        pause_at(clock, scope, 3600)
    assert len(users_and_sources(hand)) == 2
    for scope in ("user:alice", "tenant:zeta"):
        pause_at(clock, scope, 5)
    clock.advance(5.1)
    assert look(QUEUE) == [True]
    assert len(users_and_sources(hand)) == 4


def test_a_pause_that_is_made_longer_lasts_longer(sync: Probes, clock: Clock) -> None:
    send("sync", "alice", "gmail")
    hand = Hand()
    pause_at(clock, "user:alice", 5)
    assert hand.fetch(QUEUE) == []
    pause_at(clock, "user:alice", 3600)
    clock.advance(60)
    look(QUEUE)
    assert hand.fetch(QUEUE) == []
    clock.advance(3600)
    assert look(QUEUE) == [True]
    assert hand.one(QUEUE)


@pytest.mark.parametrize("first_seconds", [3600, None])
def test_an_automatic_pause_never_shortens_a_longer_one(
    probes: Probes, first_seconds: float | None
) -> None:
    pause("source:gmail", first_seconds)
    [before] = controls.pauses()
    assert not controls.pause(
        "source:gmail", reason="quota", by="quota", until=in_(60), keep_longer=True
    )
    assert controls.pauses() == [before]


def test_an_automatic_pause_lengthens_a_shorter_one(probes: Probes) -> None:
    pause("source:gmail", 60)
    until = in_(3600).replace(microsecond=0)
    assert controls.pause("source:gmail", reason="quota", by="quota", until=until, keep_longer=True)
    [found] = controls.pauses()
    assert (found.until, found.reason) == (until, "quota")


def test_a_pause_says_why_by_whom_and_until_when(probes: Probes) -> None:
    begin, until = datetime.now(UTC), in_(60).replace(microsecond=0)
    controls.pause("queue:graph", reason="the graph moves", by="carol", until=until)
    controls.pause("user:alice", reason="asked for it", by="dave")
    graph, alice = controls.pauses()
    assert graph == Pause("queue:graph", until, "the graph moves", "carol", graph.at)
    assert (alice.scope, alice.until) == ("user:alice", None)
    assert abs(graph.at - begin) < timedelta(seconds=5)


def test_resuming_what_is_not_paused_says_so(probes: Probes) -> None:
    assert not controls.resume("user:alice")


def test_resuming_releases_thousands_of_lanes_at_once(sync: Probes) -> None:
    lanes = 5000
    for start in range(0, lanes, 500):
        enqueue(
            [
                Send("sync", (f"u{n}", "gmail"), tenant_id=f"t{n % 7}")
                for n in range(start, start + 500)
            ]
        )
    pause("source:gmail")
    hand, started = Hand(), 0
    while look(QUEUE) == [True]:
        assert hand.fetch(QUEUE, 500) == []
    begin = time.monotonic()
    controls.resume("source:gmail")
    while started < lanes:
        look(QUEUE)
        started += len(hand.fetch(QUEUE, 500))
        assert time.monotonic() < begin + 30, "the lanes do not open"


def test_a_resume_that_was_killed_half_way_is_finished_by_the_next(sync: Probes) -> None:
    send_all()
    pause("user:alice")
    hand = Hand()
    users_and_sources(hand)
    redis_client().hdel(layout.PAUSED, "user:alice")  # and then it was killed
    controls.resume("user:alice")
    look(QUEUE)
    assert users_and_sources(hand) == {("alice", "gmail"), ("alice", "tasks")}


def test_a_lane_is_looked_at_again_within_the_hour_whatever_closed_it(
    sync: Probes, clock: Clock
) -> None:
    send("sync", "alice", "gmail", tenant_id="acme")
    send("sync", "bob", "gmail", tenant_id="zeta")
    pause("user:alice")
    pause("tenant:zeta")
    hand = Hand()
    assert hand.fetch(QUEUE, 5) == []
    redis_client().delete(layout.PAUSED)  # as a Redis that lost its last second might
    clock.advance(3601)
    assert look(QUEUE) == [True]
    assert len(hand.fetch(QUEUE, 5)) == 2


def test_a_paused_lane_costs_a_look_an_hour(sync: Probes, clock: Clock) -> None:
    send("sync", "alice", "gmail")
    pause("user:alice")
    hand = Hand()
    assert hand.fetch(QUEUE) == []
    looks = 0
    for _ in range(120):
        clock.advance(60)
        if look(QUEUE) == [True]:
            looks += 1
            assert hand.fetch(QUEUE) == []
    assert looks in (1, 2)


def test_what_is_sent_into_a_pause_after_all_before_was_cancelled_waits_too(
    sync: Probes,
) -> None:
    message_id = send("sync", "alice", "gmail").message_id
    pause("user:alice")
    hand = Hand()
    assert hand.fetch(QUEUE) == []
    controls.cancel(message_id)
    send("sync", "alice", "gmail")
    assert look(QUEUE) == [False]
    assert hand.fetch(QUEUE) == []
    assert_consistent()


def test_a_job_that_was_cancelled_in_a_pause_leaves_nothing_behind(sync: Probes) -> None:
    message_id = send("sync", "alice", "gmail", tenant_id="acme").message_id
    pause("user:alice")
    assert Hand().fetch(QUEUE) == []
    assert controls.cancel(message_id) == "waiting"
    controls.resume("user:alice")
    assert look(QUEUE) == [False]
    assert_consistent()
    assert send("sync", "alice", "gmail", tenant_id="acme").created
    assert Hand().one(QUEUE)
