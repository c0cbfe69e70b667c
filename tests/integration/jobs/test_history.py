"""What history tells of a job, while it waits, is delayed, runs, and after it has ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from probes import (
    Hand,
    Probes,
    assert_consistent,
    entry,
    field,
    look,
    members,
    pass_seconds,
    queue,
    send,
    until_idle,
)
from waiting import wait_until

from pipeline.errors import Permanent, Transient
from pipeline.jobs import controls, current, layout, pump, reading, recovery
from pipeline.jobs.entries import Failure, Progress
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import Keep
from pipeline.release import RELEASE
from pipeline.stores import redis_client

QUEUE = queue(concurrency=2)


@pytest.fixture
def sync(probes: Probes) -> Probes:
    """A job that nobody runs by itself."""
    probes.add("sync", QUEUE, "user_id", "source")
    return probes


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that beat five times a second."""
    monkeypatch.setattr(pump, "BEAT_SECONDS", 0.2)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What jobs wait for; it opens at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def near(moment: datetime | None, wanted: datetime) -> bool:
    """Return whether two times are a few seconds apart at most."""
    return moment is not None and abs(moment - wanted) < timedelta(seconds=5)


def test_a_waiting_job_is_told_with_all_that_was_sent(sync: Probes) -> None:
    [sent] = enqueue(
        [Send("sync", ("alice", "gmail"), tenant_id="acme", correlation_id="request 1")]
    )
    told = entry(sent.message_id)
    assert (told.job_id, told.job, told.queue, told.state) == (
        "sync:alice:gmail",
        "sync",
        "probe",
        "waiting",
    )
    assert told.arguments == ("alice", "gmail")
    assert told.scopes == ("tenant:acme", "user:alice", "source:gmail")
    assert (told.correlation_id, told.parent, told.release) == ("request 1", "", RELEASE)
    assert near(told.enqueued_at, datetime.now(UTC))
    assert told.since == told.enqueued_at
    assert (told.attempts, told.deliveries, told.started_at, told.due_at) == (0, 0, None, None)


def test_a_delayed_job_is_told_with_when_it_is_due_and_why(sync: Probes) -> None:
    told = entry(send("sync", "alice", "gmail", delay_seconds=600).message_id)
    assert (told.state, told.why, told.since) == ("delayed", "scheduled", None)
    assert near(told.due_at, datetime.now(UTC) + timedelta(seconds=600))


def test_a_running_job_is_told_with_its_worker_attempt_and_how_long_it_waited(
    sync: Probes,
) -> None:
    message_id = send("sync", "alice", "gmail").message_id
    time.sleep(0.05)
    Hand("host:1:abc").one(QUEUE)
    told = entry(message_id)
    assert (told.state, told.worker, told.attempts, told.deliveries) == (
        "running",
        "host:1:abc",
        1,
        1,
    )
    assert told.wait_ms is not None
    assert 50 <= told.wait_ms < 5000
    assert near(told.started_at, datetime.now(UTC))


def test_every_state_is_listed_in_its_place_only(sync: Probes) -> None:
    hand, ids = Hand(), {}
    for number, state in enumerate(("completed", "failed", "running", "delayed", "waiting")):
        delay_seconds = 60 if state == "delayed" else 0
        ids[state] = send("sync", "alice", f"s{number}", delay_seconds=delay_seconds).message_id
        if state in ("completed", "failed", "running"):
            proxy = hand.one(QUEUE)
        if state in ("completed", "failed"):
            hand.end(proxy, None if state == "completed" else Permanent("no"))
    for state, message_id in ids.items():
        assert [told.message_id for told in reading.page("probe", state, limit=9).jobs] == [
            message_id
        ]
    depth = reading.depth("probe")
    assert (depth.waiting, depth.delayed, depth.running, depth.failed) == (1, 1, 1, 1)


def test_an_ended_job_is_told_with_its_times_summary_progress_and_log(
    probes: Probes, beats: None
) -> None:
    def sync(user_id: str) -> None:
        current.log_line("first page", pages=3)
        current.progress(0.5, "half")
        time.sleep(0.05)
        logging.getLogger("pipeline.sync").warning("slow provider", extra={"seconds": 2})
        current.progress(1.0, "all")
        current.summarize("12 records")

    probes.run(sync, QUEUE)
    message_id = send("sync", "alice").message_id
    with probes.working() as broker:
        until_idle(QUEUE)
    told = entry(message_id)
    assert (told.state, told.summary, told.progress) == (
        "completed",
        "12 records",
        Progress(1.0, "all"),
    )
    assert told.worker == broker.worker_id
    assert told.run_ms is not None
    assert 50 <= told.run_ms < 5000
    assert told.finished_at is not None
    assert told.started_at is not None
    assert told.enqueued_at is not None
    assert told.enqueued_at <= told.started_at <= told.finished_at
    assert told.since == told.finished_at
    first, second = reading.log_lines(message_id)
    assert (first.level, first.text, first.fields) == ("INFO", "first page", {"pages": "3"})
    assert (second.level, second.text, second.fields) == (
        "WARNING",
        "slow provider",
        {"seconds": "2"},
    )
    assert near(first.at, datetime.now(UTC))


def test_progress_and_log_of_a_running_job_show_after_a_beat(
    probes: Probes, beats: None, gate: threading.Event
) -> None:
    def sync(user_id: str) -> None:
        current.log_line("page 1")
        current.progress(0.25, "page 1 of 4")
        gate.wait(20)
        current.log_line("page 2")

    probes.run(sync, QUEUE)
    message_id = send("sync", "alice").message_id
    with probes.working():
        wait_until(lambda: entry(message_id).progress, "its progress shows")
        told = entry(message_id)
        assert (told.state, told.progress) == ("running", Progress(0.25, "page 1 of 4"))
        assert [line.text for line in reading.log_lines(message_id)] == ["page 1"]
        gate.set()
        until_idle(QUEUE)
    assert [line.text for line in reading.log_lines(message_id)] == ["page 1", "page 2"]


def test_the_newest_lines_of_a_talkative_job_are_kept(probes: Probes, beats: None) -> None:
    def sync(user_id: str) -> None:
        for number in range(500):
            current.log_line(f"line {number}")
            if number % 100 == 0:
                time.sleep(0.1)

    probes.run(sync, QUEUE)
    message_id = send("sync", "alice").message_id
    with probes.working():
        until_idle(QUEUE)
    texts = [line.text for line in reading.log_lines(message_id)]
    assert texts == [f"line {number}" for number in range(300, 500)]


def test_what_a_job_sends_carries_on_its_correlation_and_is_told_as_its_child(
    probes: Probes,
) -> None:
    def parent(user_id: str) -> None:
        enqueue([Send("child", (user_id, n)) for n in range(3)])
        enqueue([Send("child", (user_id, 0))])  # it is there already

    def child(user_id: str, number: int) -> None:
        if number == 0:
            send("grandchild", user_id)

    def grandchild(user_id: str) -> None:
        return

    for function in (parent, child, grandchild):
        probes.run(function, QUEUE)
    [sent] = enqueue([Send("parent", ("alice",), correlation_id="tick 1")])
    with probes.working():
        until_idle(QUEUE)
    told = entry(sent.message_id)
    children = reading.children(sent.message_id)
    assert told.children == len(children) == 3
    assert {one.parent for one in children} == {sent.message_id}
    [grandchildren] = [found for one in children if (found := reading.children(one.message_id))]
    assert {one.correlation_id for one in [told, *children, *grandchildren]} == {"tick 1"}


def test_of_a_job_that_sends_a_thousand_the_first_children_are_told_and_all_counted(
    probes: Probes,
) -> None:
    def parent() -> None:
        enqueue([Send("child", (n,)) for n in range(600)])
        enqueue([Send("child", (n,)) for n in range(600, 1000)])

    probes.run(parent, QUEUE)
    probes.add("child", queue("other"), "number")
    message_id = send("parent").message_id
    with probes.working():
        until_idle(QUEUE)
    assert entry(message_id).children == 1000
    assert [one.arguments for one in reading.children(message_id)] == [(n,) for n in range(50)]


def test_jobs_that_nobody_sent_have_a_correlation_of_their_own(sync: Probes) -> None:
    one, other = (entry(send("sync", "alice", source).message_id) for source in "ab")
    assert one.correlation_id
    assert one.correlation_id != other.correlation_id


def test_a_failed_job_is_told_with_error_and_traceback(sync: Probes) -> None:
    message_id, hand = send("sync", "alice", "gmail").message_id, Hand()
    try:
        raise Permanent("the calendar has no id")
    except Permanent as error:
        hand.end(hand.one(QUEUE), error)
    told = entry(message_id)
    assert told.failure == Failure("Permanent", "the calendar has no id", "permanent")
    assert "test_history.py" in told.traceback
    assert "raise Permanent" in told.traceback


def test_why_and_error_of_the_latest_attempt_are_told_of_a_job_that_will_be_tried_again(
    sync: Probes,
) -> None:
    message_id, hand = send("sync", "alice", "gmail").message_id, Hand()
    for text in ("first", "second"):
        hand.end(hand.one(QUEUE), Transient(text))
        controls.promote(message_id)
    told = entry(message_id)
    assert (told.state, told.why) == ("waiting", "attempt 2 of 3 failed")
    assert told.failure == Failure("Transient", "second")


def test_a_promoted_job_starts_now(sync: Probes) -> None:
    message_id = send("sync", "alice", "gmail", delay_seconds=600).message_id
    assert controls.promote(message_id)
    assert look(QUEUE) == [True]
    assert Hand().one(QUEUE).message_id == message_id


def test_only_a_delayed_job_can_be_promoted(sync: Probes) -> None:
    message_id, hand = send("sync", "alice", "gmail").message_id, Hand()
    assert not controls.promote(message_id)
    proxy = hand.one(QUEUE)
    assert not controls.promote(message_id)
    hand.end(proxy)
    assert not controls.promote(message_id)
    assert not controls.promote("no such message")
    assert_consistent()


@pytest.mark.parametrize("state", ["waiting", "delayed"])
def test_a_cancelled_job_never_starts_and_its_id_is_free(sync: Probes, state: str) -> None:
    delay_seconds = 0.01 if state == "delayed" else 0
    message_id = send("sync", "alice", "gmail", delay_seconds=delay_seconds).message_id
    assert controls.cancel(message_id) == state
    assert_consistent()
    told = entry(message_id)
    assert (told.state, told.attempts) == ("failed", 0)
    assert told.failure == Failure("Cancelled", "cancelled by an operator", "cancelled")
    assert redis_client().exists(layout.OUTBOX) == 0
    time.sleep(0.02)
    assert look(QUEUE) == [False]
    second = send("sync", "alice", "gmail")
    assert second.created
    assert [proxy.message_id for proxy in Hand().fetch(QUEUE, 5)] == [second.message_id]


@pytest.mark.parametrize("state", ["completed", "failed", ""])
def test_what_has_ended_or_is_not_known_cannot_be_cancelled(sync: Probes, state: str) -> None:
    message_id, hand = send("sync", "alice", "gmail").message_id, Hand()
    if not state:
        assert controls.cancel("no such message") == ""
        return
    hand.end(hand.one(QUEUE), None if state == "completed" else Permanent("no"))
    before = redis_client().hgetall(layout.job(message_id))
    assert controls.cancel(message_id) == state
    assert redis_client().hgetall(layout.job(message_id)) == before


def test_one_of_several_jobs_of_a_lane_can_be_cancelled(sync: Probes) -> None:
    ids = [send("sync", "alice", "gmail", job_id=f"n{n}").message_id for n in range(3)]
    controls.cancel(ids[1])
    assert_consistent()
    assert [proxy.message_id for proxy in Hand().fetch(QUEUE, 5)] == [ids[0], ids[2]]


def test_a_running_job_that_is_cancelled_stops_within_a_beat(probes: Probes, beats: None) -> None:
    ended: list[str] = []

    def sync(user_id: str) -> None:
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.append(user_id)

    probes.run(sync, QUEUE)
    message_id = send("sync", "alice").message_id
    with probes.working():
        wait_until(lambda: members(QUEUE, "running"), "it runs")
        time.sleep(0.2)
        assert controls.cancel(message_id) == "running"
        assert entry(message_id).cancelling
        until_idle(QUEUE, seconds=5)
        told = entry(message_id)
        assert told.failure is not None
        assert (told.state, told.failure.reason) == ("failed", "cancelled")
        assert send("sync", "bob").created  # the thread has survived
        wait_until(lambda: len(members(QUEUE, "running")) == 1, "the next one runs")
        controls.cancel(members(QUEUE, "running")[0])
        until_idle(QUEUE, seconds=5)
    assert ended == ["alice", "bob"]
    assert redis_client().exists(layout.OUTBOX) == 0


def test_a_job_that_is_cancelled_before_its_worker_has_a_thread_for_it_never_begins(
    probes: Probes, beats: None, gate: threading.Event
) -> None:
    began: list[str] = []

    def sync(user_id: str) -> None:
        began.append(user_id)

    def hold() -> None:
        gate.wait(20)

    probes.run(sync, queue("urgent", priority=1))
    probes.run(hold, QUEUE)
    urgent = queue("urgent", priority=1)
    send("hold")
    with probes.working(threads=1):
        wait_until(lambda: members(QUEUE, "running"), "the thread is taken")
        message_id = send("sync", "alice").message_id
        wait_until(lambda: members(urgent, "running"), "it was fetched")
        assert controls.cancel(message_id) == "running"
        time.sleep(0.5)  # a beat or two
        gate.set()
        until_idle(QUEUE, urgent)
    told = entry(message_id)
    assert began == []
    assert told.run_ms is None
    assert told.started_at is not None
    assert told.enqueued_at is not None
    assert told.started_at >= told.enqueued_at
    assert told.failure is not None
    assert (told.state, told.failure.reason) == ("failed", "cancelled")
    assert_consistent()


@pytest.mark.parametrize("next_step", ["another attempt", "handed back", "its worker died"])
def test_a_job_that_was_cancelled_while_it_ran_does_not_run_again(
    sync: Probes, next_step: str
) -> None:
    message_id, hand = send("sync", "alice", "gmail").message_id, Hand()
    proxy = hand.one(QUEUE)
    assert controls.cancel(message_id) == "running"
    if next_step == "another attempt":
        hand.end(proxy, OSError())
    elif next_step == "handed back":
        hand.give_back([proxy])
    else:
        redis_client().zadd(layout.WORKERS, {"hand": 0})
        recovery.sweep()
    told = entry(message_id)
    assert told.failure is not None
    assert (told.state, told.failure.reason) == ("failed", "cancelled")
    assert send("sync", "alice", "gmail").created
    assert_consistent()


def test_a_cancelled_job_that_ends_first_has_ended_as_it_did(sync: Probes) -> None:
    message_id, hand = send("sync", "alice", "gmail").message_id, Hand()
    proxy = hand.one(QUEUE)
    controls.cancel(message_id)
    hand.end(proxy)
    assert entry(message_id).state == "completed"


def test_what_a_worker_files_after_it_was_taken_for_dead_changes_nothing(sync: Probes) -> None:
    message_id, dead, alive = send("sync", "alice", "gmail").message_id, Hand("dead"), Hand()
    stale = dead.one(QUEUE)
    redis_client().zadd(layout.WORKERS, {"dead": 0})
    recovery.sweep()
    fresh = alive.one(QUEUE)
    assert (fresh.message_id, fresh.delivery.number) == (message_id, 2)
    assert not dead.end(stale, Permanent("late"))
    assert dead.give_back([stale]) == 0
    told = entry(message_id)
    assert (told.state, told.worker, told.attempts, told.deaths) == ("running", "hand", 1, 1)
    assert alive.end(fresh)
    assert entry(message_id).state == "completed"
    assert_consistent()


def test_a_job_that_ended_is_forgotten_with_its_log_and_children(probes: Probes) -> None:
    table = queue(keep_completed=Keep(1))
    probes.add("sync", table, "user_id")
    hand, first = Hand(), send("sync", "alice").message_id
    proxy = hand.one(table)
    current.begin(proxy.current)
    try:
        current.log_line("a line")
        send("sync", "bob")
    finally:
        current.begin(None)
    hand.end(proxy)
    assert field(first, "children") == "1"
    pass_seconds(0.002)  # history goes by milliseconds
    hand.end(hand.one(table))
    assert reading.get(first) is None
    assert redis_client().exists(layout.log(first), layout.children(first)) == 0
    assert_consistent()
