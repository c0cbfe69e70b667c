"""Start limits: never more in any window, and a job that must wait costs nothing meanwhile."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pytest
from clock import Clock, use_clock
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
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
from prometheus_client import REGISTRY
from waiting import wait_until

from pipeline.jobs import controls, layout
from pipeline.jobs.delivery import JobProxy
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import Keep, Queue, Scope, StartLimit
from pipeline.stores import redis_client

SCOPES: tuple[Scope, ...] = ("queue", "tenant", "user", "source", "sender")
ARGUMENTS = ("user_id", "source", "sender_id", "number")


def limited(*limits: StartLimit, **changes: object) -> Queue:
    """Return a queue with these limits."""
    return queue(limits=limits, keep_completed=Keep(10_000), **changes)


def most_in_a_window(times: Iterable[float], length: float) -> int:
    """Return the most of `times` that lie in any window of this length, its end left out."""
    ordered = sorted(times)
    return max(
        (
            sum(start <= one < start + length for one in ordered[n:])
            for n, start in enumerate(ordered)
        ),
        default=0,
    )


def scope_value(proxy: JobProxy, scope: Scope) -> str:
    """Return what a job has in a scope."""
    lines = proxy.delivery.lane.split("\n")
    return next((line for line in lines if line.startswith(f"{scope}:")), scope)


def run_all(
    hand: Hand, table: Queue, clock: Clock, patience_seconds: float
) -> list[tuple[float, JobProxy]]:
    """Run everything that waits as soon as it may, and return when each job started."""
    started: list[tuple[float, JobProxy]] = []
    end_ms = clock.now_ms + patience_seconds * 1000
    while members(table, "waiting"):
        look(table)
        fetched = hand.fetch(table, 7)
        started += [(clock.now_ms / 1000, proxy) for proxy in fetched]
        for proxy in fetched:
            hand.end(proxy)
        if not fetched:
            clock.set(next_look_ms(table, clock))
            assert clock.now_ms <= end_ms, "not all could start"
    return started


def next_look_ms(table: Queue, clock: Clock) -> int:
    """Return when a lane, tenant or the queue will be looked at again."""
    redis = redis_client()
    times = [
        score
        for _, score in redis.zrange(layout.of_queue(table.name, "closed"), 0, 0, withscores=True)
    ]
    until = redis.get(layout.of_queue(table.name, "until"))
    times += [float(until)] if isinstance(until, bytes) else []
    return max(clock.now_ms + 1, math.ceil(min(times)))


@pytest.fixture
def clock(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the scripts."""
    return use_clock(monkeypatch)


limit_sets = st.lists(
    st.builds(
        StartLimit,
        st.sampled_from(SCOPES),
        st.integers(1, 6),
        st.sampled_from([20.0, 60.0, 600.0]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda limit: (limit.scope, limit.seconds),
)
job_sets = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)),
    min_size=6,
    max_size=30,
)


@given(limit_sets, job_sets)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_window_ever_sees_more_starts_than_any_of_several_limits_allows(
    probes: Probes,
    clock: Clock,
    limits: Sequence[StartLimit],
    jobs: Sequence[tuple[int, int, int, int]],
) -> None:
    redis_client().flushdb()
    clock.advance(0.001)
    table, hand = limited(*limits), Hand()
    probes.add("sync", table, *ARGUMENTS)
    enqueue(
        [
            Send("sync", (f"u{user}", f"s{source}", f"x{sender}", n), tenant_id=f"t{tenant}")
            for n, (tenant, user, source, sender) in enumerate(jobs)
        ]
    )
    started = run_all(hand, table, clock, 86_400)
    assert len(started) == len(jobs)
    for limit in limits:
        times = defaultdict(list)
        for at, proxy in started:
            times[scope_value(proxy, limit.scope)].append(at)
        for starts in times.values():
            assert most_in_a_window(starts, limit.seconds) <= limit.starts
    for _, proxy in started:
        told = entry(proxy.message_id)
        assert (told.deliveries, told.deferrals) == (1, 0)
    assert_consistent()


def test_hundreds_that_wait_never_start_faster_than_the_limit_in_real_time(
    probes: Probes,
) -> None:
    table = limited(StartLimit("user", 10, 3.0))
    starts: list[float] = []

    def sync(user_id: str, number: int) -> None:
        starts.append(time.monotonic())

    probes.run(sync, table)
    sent = enqueue([Send("sync", ("alice", n)) for n in range(300)])
    before = REGISTRY.get_sample_value(*HITS) or 0
    with probes.working(), probes.working():
        wait_until(lambda: len(starts) > 20, "a third window begins")
    assert most_in_a_window(starts, 3.0) <= 10
    # 10 at once, and as many again as soon as they have left the window and two slots more.
    assert 2 * 3.0 <= starts[20] - starts[0] <= 2 * 3.0 * 32 / 30 + 1
    histories = [entry(one.message_id) for one in sent]
    assert {told.deliveries for told in histories} == {0, 1}
    assert {told.deferrals for told in histories} == {0}
    assert (REGISTRY.get_sample_value(*HITS) or 0) > before
    assert_consistent()


HITS = ("headrace_rate_limit_hits_total", {"queue": "probe", "scope": "user"})


def test_while_a_lane_is_closed_nothing_happens_to_what_waits_in_it(
    probes: Probes,
) -> None:
    table = limited(StartLimit("user", 1, 600.0))

    def sync(user_id: str, number: int) -> None:
        return

    probes.run(sync, table)
    enqueue([Send("sync", ("alice", n)) for n in range(200)])
    with probes.working():
        wait_until(lambda: members(table, "completed"), "the one that may start has run")
        time.sleep(0.2)
        before = commands()
        time.sleep(1)
        more = {name: count - before.get(name, 0) for name, count in commands().items()}
    assert more["evalsha"] <= 20  # looks, ten times a second, and a beat
    writes = ("zadd", "zrem", "lpop", "lpush", "rpush", "hincrby", "hset", "lrem")
    assert {name: more.get(name, 0) for name in writes} == dict.fromkeys(writes, 0) | {"zadd": 0}


def test_the_limit_of_one_user_holds_up_nobody_else(probes: Probes, clock: Clock) -> None:
    table, hand = limited(StartLimit("user", 2, 60.0)), Hand()
    probes.add("sync", table, "user_id", "number")
    for user in ("alice", "bob", "carol"):
        enqueue([Send("sync", (user, n), tenant_id="acme") for n in range(1000)])
    started = hand.fetch(table, 10)
    assert sorted(proxy.args[0] for proxy in started) == 2 * ["alice"] + 2 * ["bob"] + 2 * ["carol"]
    send("sync", "dave", 1, tenant_id="acme")
    assert [proxy.args[0] for proxy in hand.fetch(table, 10)] == ["dave"]


def test_a_limit_opens_again_when_its_window_has_passed(probes: Probes, clock: Clock) -> None:
    table, hand = limited(StartLimit("user", 10, 60.0)), Hand()
    probes.add("sync", table, "user_id", "number")
    enqueue([Send("sync", ("alice", n)) for n in range(30)])
    assert len(hand.fetch(table, 30)) == 10
    clock.advance(60)
    assert look(table) == [False]
    clock.advance(4.001)  # two slots of a thirtieth of the window
    assert look(table) == [True]
    assert len(hand.fetch(table, 30)) == 10


def test_a_limit_of_a_day_holds_for_the_day(probes: Probes, clock: Clock) -> None:
    table, hand = limited(StartLimit("source", 5, 86_400.0), StartLimit("source", 2, 60.0)), Hand()
    probes.add("sync", table, "source", "number")
    enqueue([Send("sync", ("google_tasks", n)) for n in range(12)])
    hours = [(at - clock.now_ms / 1000) / 3600 for at, _ in run_all(hand, table, clock, 4 * 86_400)]
    assert most_in_a_window(hours, 24) == 5
    assert most_in_a_window(hours, 1 / 60) == 2
    assert max(hours) - min(hours) < 2 * 24 * 32 / 30 + 1


def test_lanes_that_share_a_limit_get_their_turns(probes: Probes, clock: Clock) -> None:
    """A user whose calendar changes all the time has mails, too."""
    table, hand = limited(StartLimit("user", 1, 60.0)), Hand()
    probes.add("sync", table, "user_id", "source", rerun=True)
    for source in ("calendar", "gmail", "tasks"):
        send("sync", "alice", source)
    order = []
    for _ in range(30):
        look(table)
        [proxy] = hand.fetch(table, 5)
        order.append(proxy.args[1])
        hand.end(proxy)
        clock.advance(1)
        send("sync", "alice", proxy.args[1])  # it has work again
        assert hand.fetch(table, 5) == []
        clock.advance(64.001)
    turns = Counter(order)
    assert turns.keys() == {"calendar", "gmail", "tasks"}
    assert min(turns.values()) >= 5, turns


def test_a_queue_limit_counts_every_job_of_the_queue(probes: Probes, clock: Clock) -> None:
    table, hand = limited(StartLimit("queue", 5, 60.0)), Hand()
    probes.add("sync", table, "user_id")
    enqueue([Send("sync", (f"u{n}",), tenant_id=f"t{n % 3}") for n in range(12)])
    times = [at for at, _ in run_all(hand, table, clock, 600)]
    assert most_in_a_window(times, 60) == 5
    assert max(times) - min(times) <= 2 * 64


def test_a_job_that_is_put_off_by_a_limit_counts_once_when_it_starts(
    probes: Probes, clock: Clock
) -> None:
    table, hand = limited(StartLimit("user", 3, 60.0)), Hand()
    probes.add("sync", table, "user_id")
    send("sync", "alice")
    for _ in range(3):
        hand.end(hand.one(table))
        send("sync", "alice")
    for _ in range(5):
        assert hand.fetch(table) == []
    clock.advance(64.001)
    look(table)
    for _ in range(3):
        hand.end(hand.one(table))
        send("sync", "alice")
    assert hand.fetch(table) == []


def test_a_retry_is_a_start_and_counts(probes: Probes, clock: Clock) -> None:
    table, hand = limited(StartLimit("user", 2, 60.0)), Hand()
    probes.add("sync", table, "user_id")
    message_id = send("sync", "alice").message_id
    for _ in range(2):
        hand.end(hand.one(table), OSError())
        controls.promote(message_id)
    assert hand.fetch(table) == []
    assert entry(message_id).state == "waiting"


def test_one_that_is_limited_starts_when_a_thread_is_free_and_not_before(
    probes: Probes,
) -> None:
    """Starts are counted when jobs are fetched; they must not gather in the worker."""
    table = limited(StartLimit("queue", 2, 1.5), priority=1)
    slow = queue("slow", priority=9)
    starts: list[float] = []

    def sync(number: int) -> None:
        starts.append(time.monotonic())

    def hold(number: int) -> None:
        time.sleep(2)

    probes.run(sync, table)
    probes.run(hold, slow)
    enqueue([Send("hold", (n,)) for n in range(2)])
    with probes.working(threads=2):
        wait_until(lambda: len(members(slow, "running")) == 2, "all threads are busy")
        enqueue([Send("sync", (n,)) for n in range(6)])
        wait_until(lambda: len(starts) >= 4, "two windows")
    assert most_in_a_window(starts, 1.5) <= 2


@pytest.mark.parametrize("limits", [(), (StartLimit("queue", 1000, 60.0),)])
@pytest.mark.parametrize("brief_priority", [5, 9])
def test_brief_jobs_in_masses_do_not_starve_a_queue_of_the_same_or_more_urgency(
    probes: Probes, limits: tuple[StartLimit, ...], brief_priority: int
) -> None:
    masses = queue("masses", priority=brief_priority, concurrency=100)
    table = limited(*limits, priority=5, concurrency=3)
    left: list[int] = []

    def brief(number: int) -> None:
        time.sleep(0.01)

    def sync(user_id: str) -> None:
        left.append(len(members(masses, "waiting")))

    probes.run(brief, masses)
    probes.run(sync, table)
    enqueue([Send("brief", (n,)) for n in range(600)])
    with probes.working(threads=4):
        wait_until(lambda: len(members(masses, "waiting")) < 550, "the masses are on their way")
        send("sync", "alice")
        wait_until(lambda: left, "the other has started")
    assert left[0] > 300


def commands() -> dict[str, int]:
    """Return how often each command was called."""
    stats = redis_client().info("commandstats")
    return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}
