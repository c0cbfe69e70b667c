"""Every number of the queue table (design §7) is there, and does what it says."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from probes import Hand, Probes, entry, members, now_ms, pass_seconds, queue, send, until_idle
from waiting import wait_until

from pipeline.errors import ReauthRequired
from pipeline.jobs import controls, layout, recovery
from pipeline.jobs.names import actor_options
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import QUEUES, Keep, Queue
from pipeline.stores import redis_client

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True)
class Row:
    """A line of the table; `waits` in seconds, before the second attempt and so on; what is
    kept as (how many, how long in ms)."""

    waits: tuple[float, ...]
    priority: int
    concurrency: int
    completed: tuple[int, int | None]
    failed: tuple[int, int | None]
    one_per: str | None = None
    limits: tuple[tuple[str, int, float], ...] = ()
    own_workers: bool = False


_BRIEF = ((200, HOUR_MS), (1000, DAY_MS))

#: As design §7 has it.  Where it says "1 per mailbox" it leaves open how many mailboxes one
#: process serves at a time; that is 4.
TABLE = {
    "data-sync": Row((1, 2), 5, 3, (100, None), (500, None), limits=(("user", 10, 60.0),)),
    "graph": Row((1, 2, 4, 8), 5, 4, (100, None), (500, None)),
    "webhook-process": Row((2, 4), 0, 10, (100, None), (50, None), own_workers=True),
    "webhook-renewal": Row((5, 10), 3, 1, *_BRIEF),
    "delta-sync": Row((5, 10), 5, 4, *_BRIEF, one_per="mailbox"),
    "pattern-analysis": Row((5, 10), 9, 2, *_BRIEF),
    "staging-processor": Row((5, 10), 4, 4, *_BRIEF, one_per="mailbox"),
    "token-refresh": Row((5, 10), 2, 4, *_BRIEF, one_per="connection"),
    "outreach-send": Row((2, 4), 1, 3, (100, None), (50, None)),
    "outreach-timeout": Row((2, 4), 2, 2, (100, None), (50, None)),
    "ai-processing": Row((2, 4, 8, 16), 5, 5, (1000, DAY_MS), (5000, 7 * DAY_MS), own_workers=True),
    "email": Row((1, 2), 2, 10, (500, 12 * HOUR_MS), (1000, 3 * DAY_MS)),
    "indexing": Row((5, 5), 5, 20, (2000, 6 * HOUR_MS), (5000, DAY_MS)),
}

all_queues = pytest.mark.parametrize("name", TABLE)


def test_the_table_has_the_queues_of_the_design_and_no_others() -> None:
    assert set(QUEUES) == set(TABLE)


@all_queues
def test_the_table_says_what_the_design_says(name: str) -> None:
    found, wanted = QUEUES[name], TABLE[name]
    assert found.attempts == len(wanted.waits) + 1
    assert (found.priority, found.concurrency) == (wanted.priority, wanted.concurrency)
    assert (found.one_per, found.own_workers) == (wanted.one_per, wanted.own_workers)
    assert tuple((one.scope, one.starts, one.seconds) for one in found.limits) == wanted.limits
    for keep, (count, age_ms) in (
        (found.keep_completed, wanted.completed),
        (found.keep_failed, wanted.failed),
    ):
        assert (keep.count, keep.seconds and keep.seconds * 1000) == (count, age_ms)


@all_queues
def test_a_failing_job_waits_as_tabled_before_each_attempt_and_then_is_a_dead_letter(
    probes: Probes, name: str
) -> None:
    table, hand = QUEUES[name], Hand()
    probes.add("fails", table)
    message_id = send("fails").message_id
    for wait_seconds in TABLE[name].waits:
        proxy, before = hand.one(table), now_ms()
        hand.end(proxy, OSError())
        due = redis_client().zscore(layout.of_queue(name, "delayed"), message_id)
        assert isinstance(due, float)
        assert before <= due - wait_seconds * 1000 <= now_ms()
        assert controls.promote(message_id)
    hand.end(hand.one(table), OSError())
    told = entry(message_id)
    assert told.state == "failed"
    assert told.attempts == told.deliveries == len(TABLE[name].waits) + 1
    assert told.failure is not None
    assert told.failure.reason == "attempts_spent"
    assert redis_client().lrange(layout.OUTBOX, 0, -1) == [message_id.encode()]


def test_a_worker_of_all_queues_runs_failing_jobs_exactly_as_often_as_tabled(
    probes: Probes,
) -> None:
    runs: Counter[str] = Counter()

    def failing(name: str) -> Callable[[], None]:
        def fail() -> None:
            runs[name] += 1
            raise OSError

        return fail

    for name, table in QUEUES.items():
        probes.run(failing(name), table, name=f"{name} fails")
        send(f"{name} fails")

    def all_failed() -> bool:
        for table in QUEUES.values():
            for message_id in members(table, "delayed"):
                controls.promote(message_id)
        return all(members(table, "failed") for table in QUEUES.values())

    with probes.working():
        wait_until(all_failed, "all attempts")
    assert runs == {name: len(row.waits) + 1 for name, row in TABLE.items()}


def test_jitter_lengthens_the_waits_by_at_most_its_share(
    probes: Probes, setting: Callable[..., None]
) -> None:
    setting(JOB_BACKOFF_JITTER=0.5)
    table, hand = queue(attempts=2, backoff_ms=10_000), Hand()
    probes.add("fails", table, "user_id")
    enqueue([Send("fails", (f"u{n}",)) for n in range(60)])
    proxies, before = hand.fetch(table, 60), now_ms()
    for proxy in proxies:
        hand.end(proxy, OSError())
    dues = redis_client().zrange(layout.of_queue("probe", "delayed"), 0, -1, withscores=True)
    waits_ms = [due - before for _, due in dues]
    assert min(waits_ms) >= 10_000
    assert max(waits_ms) <= 15_000 + now_ms() - before
    assert max(waits_ms) - min(waits_ms) > 2000


def test_a_process_runs_as_many_jobs_of_a_queue_as_tabled_and_never_more(probes: Probes) -> None:
    crowd, gate = Crowd(), threading.Event()

    def waiting(name: str) -> Callable[[str], None]:
        def wait(mailbox_id: str) -> None:
            with crowd.inside(name):
                gate.wait(30)

        return wait

    for name, table in QUEUES.items():
        probes.run(waiting(name), table, name=f"{name} waits")
        enqueue([Send(f"{name} waits", (f"m{n}",)) for n in range(2 * table.concurrency + 1)])
    wanted = {name: row.concurrency for name, row in TABLE.items()}
    with probes.working(threads=100):
        wait_until(lambda: crowd.now == wanted, "all queues are busy")
        time.sleep(0.3)  # for those that would be too many
        gate.set()
        until_idle(*QUEUES.values())
    assert crowd.most == wanted


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.one_per])
def test_only_one_job_of_a_scope_runs_anywhere(probes: Probes, name: str) -> None:
    crowd, table = Crowd(), QUEUES[name]

    def one(number: int, mailbox_id: str, connection_id: str) -> None:
        with crowd.inside(mailbox_id), crowd.inside("all"):
            time.sleep(0.02)

    probes.run(one, table)
    enqueue([Send("one", (n, f"m{n % 5}", f"m{n % 5}")) for n in range(40)])
    with probes.working(), probes.working():
        until_idle(table)
    assert crowd.ended == {"all": 40} | {f"m{n}": 8 for n in range(5)}
    assert {crowd.most[f"m{n}"] for n in range(5)} == {1}
    assert crowd.most["all"] > 1
    assert redis_client().exists(layout.of_queue(name, "busy")) == 0


def test_the_next_job_of_a_scope_starts_as_soon_as_the_first_has_ended(probes: Probes) -> None:
    table, hand = QUEUES["delta-sync"], Hand()
    probes.add("one", table, "mailbox_id", "number")
    enqueue([Send("one", ("m", n)) for n in range(2)])
    first = hand.one(table)
    assert hand.fetch(table) == []
    hand.end(first)
    assert hand.one(table).args == ("m", 1)


@pytest.mark.parametrize("ending", ["another attempt", "handed back", "its worker died"])
def test_a_scope_is_free_again_however_its_job_ended(probes: Probes, ending: str) -> None:
    table, hand = QUEUES["token-refresh"], Hand("first")
    probes.add("one", table, "connection_id", "number")
    enqueue([Send("one", ("c", n)) for n in range(2)])
    proxy = hand.one(table)
    if ending == "another attempt":
        hand.end(proxy, OSError())
    elif ending == "handed back":
        hand.give_back([proxy])
    else:
        redis_client().zadd(layout.WORKERS, {"first": 0})
        recovery.sweep()
    assert len(Hand().fetch(table, 5)) == 1


def test_priorities_hold_across_the_queues_of_a_worker(probes: Probes) -> None:
    order: list[int] = []
    each, threads = 8, 2

    def noting(priority: int) -> Callable[[int], None]:
        def note(number: int) -> None:
            time.sleep(0.02)  # longer than a busy machine takes to fetch the next
            order.append(priority)

        return note

    # A queue whose concurrency leaves a thread free lets others pass.
    tables = [table for table in QUEUES.values() if table.concurrency >= threads]
    for table in reversed(tables):
        probes.run(noting(table.priority), table, name=f"{table.name} notes")
        enqueue([Send(f"{table.name} notes", (n,)) for n in range(each)])
    with probes.working(threads):
        until_idle(*tables)
    assert len(order) == each * len(tables)
    # What was in hand already when something more urgent was fetched: at the start, as much
    # of each queue as there are threads.
    too_early = sum(any(later < one for later in order[n:]) for n, one in enumerate(order))
    assert too_early <= threads * len(tables), order
    mean_rank = {
        priority: sum(n for n, one in enumerate(order) if one == priority) / order.count(priority)
        for priority in set(order)
    }
    assert sorted(mean_rank, key=lambda priority: mean_rank[priority]) == sorted(mean_rank)


@all_queues
@pytest.mark.parametrize("state", ["completed", "failed"])
def test_history_keeps_as_many_jobs_as_tabled(probes: Probes, name: str, state: str) -> None:
    table, row, hand = QUEUES[name], TABLE[name], Hand()
    count, _ = row.completed if state == "completed" else row.failed
    fill(table, state, count, now_ms() - 1000)
    probes.add("ends", table, "user_id")
    enqueue([Send("ends", (f"u{n}",)) for n in range(3)])
    error = None if state == "completed" else _no_letter()
    for proxy in hand.fetch(table, 3):
        hand.end(proxy, error)
    assert len(members(table, state)) == count
    assert [old for old in _old(4) if redis_client().exists(layout.job(old))] == _old(4)[3:]


@all_queues
@pytest.mark.parametrize("state", ["completed", "failed"])
def test_history_keeps_jobs_no_longer_than_tabled(probes: Probes, name: str, state: str) -> None:
    table, row = QUEUES[name], TABLE[name]
    _, age_ms = row.completed if state == "completed" else row.failed
    a_minute = 60_000
    fill(table, state, 5, now_ms() - (age_ms or 1000 * DAY_MS) - a_minute)
    fill(table, state, 5, now_ms() - (age_ms or 1000 * DAY_MS) + a_minute, first=5)
    recovery.sweep()
    assert members(table, state) == _old(10)[5 if age_ms else 0 :]
    kept = [old for old in _old(10) if redis_client().exists(layout.job(old))]
    assert kept == members(table, state)


def test_a_finished_job_trims_by_age_too(probes: Probes) -> None:
    table, hand = QUEUES["email"], Hand()
    fill(table, "completed", 5, now_ms() - 12 * HOUR_MS - 1000)
    probes.add("ends", table)
    message_id = send("ends").message_id
    hand.end(hand.one(table))
    assert members(table, "completed") == [message_id]


def test_a_failed_job_stays_until_it_is_a_dead_letter(probes: Probes) -> None:
    table, hand = queue(attempts=1, keep_failed=Keep(2)), Hand()
    probes.add("fails", table, "user_id")
    enqueue([Send("fails", (f"u{n}",)) for n in range(5)])
    proxies = hand.fetch(table, 5)
    for proxy in proxies:
        hand.end(proxy, OSError())
        pass_seconds(0.002)  # history goes by milliseconds
    assert len(members(table, "failed")) == 5
    redis_client().delete(layout.OUTBOX)
    recovery.sweep()
    assert members(table, "failed") == [proxy.message_id for proxy in proxies[3:]]


def test_an_attempt_that_takes_too_long_is_stopped_and_tried_again(probes: Probes) -> None:
    table = queue(time_limit_ms=300, backoff_ms=60_000)
    stopped_after: list[float] = []

    def slow() -> None:
        began = time.monotonic()
        try:
            while time.monotonic() < began + 20:
                time.sleep(0.01)
        finally:
            stopped_after.append(time.monotonic() - began)

    probes.run(slow, table)
    message_id = send("slow").message_id
    with probes.working(limits_time=True):
        wait_until(lambda: members(table, "delayed"), "the attempt has ended")
    told = entry(message_id)
    assert told.attempts == 1
    assert told.failure is not None
    assert told.failure.error == "TimeLimitExceeded"
    assert 0.3 <= stopped_after[0] < 5


@all_queues
def test_the_actor_of_a_job_gets_the_time_limit_and_priority_of_its_queue(
    probes: Probes, name: str
) -> None:
    probes.add("timed", QUEUES[name])
    options = actor_options("timed")
    assert (options["time_limit"], options["priority"]) == (600_000, TABLE[name].priority)


class Crowd:
    """How many are inside at the same time, by name."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: dict[str, int] = {}
        self.ended: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        with self._lock:
            self.now[name] += 1
            self.most[name] = max(self.most.get(name, 0), self.now[name])
        try:
            yield
        finally:
            with self._lock:
                self.now[name] -= 1
                self.ended[name] += 1


def _no_letter() -> BaseException:
    return ReauthRequired("the grant is revoked")


def _old(count: int) -> list[str]:
    return [f"old{n:013}" for n in range(count)]


def fill(table: Queue, state: str, count: int, ended_ms: int, first: int = 0) -> None:
    """Write a history of jobs that ended at the same time, in the order of their ids."""
    old = _old(first + count)[first:]
    with redis_client().pipeline(transaction=False) as pipe:
        pipe.zadd(layout.of_queue(table.name, state), dict.fromkeys(old, ended_ms))
        for message_id in old[:20]:
            fields = {"job_id": message_id, "queue": table.name, "state": state}
            pipe.hset(layout.job(message_id), mapping=fields)
        pipe.execute()
