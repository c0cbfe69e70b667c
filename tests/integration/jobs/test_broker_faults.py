"""What lies in Redis, what jobs say, and answers that get lost: nobody else is harmed by it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest
from own_redis import OwnRedis
from waiting import wait_until
from workers import (
    QUEUE,
    entry,
    keys,
    send,
    sights,
    state,
    worker_here,
)

from pipeline.dispatch import send_many
from pipeline.jobs import controls, layout, reading, recovery, scripts
from pipeline.jobs.current import Current, JobLog, begin
from pipeline.jobs.sending import Send, Sent
from pipeline.queues import QUEUES, Keep
from pipeline.stores import redis_client

#: What another release, or a hand, may have left: a field of a job, and its bytes.
UNREADABLE = [
    ("args", b"\x80\x04 not JSON"),
    ("args", b'["alice","\xff","quick"]'),
    ("args", b'["alice","a",'),
    ("args", b"{}"),
    ("args", b"[" * 50_000),  # deeper than Python's stack
    ("options", b"\x00"),
    ("options", b"[]"),
]


def test_what_cannot_be_read_is_set_aside_alone_with_its_bytes(faults: OwnRedis) -> None:
    sent = send(*map(str, range(2 * len(UNREADABLE))))
    spoiled, sound = sent[::2], sent[1::2]
    redis_client().hset(layout.job(sound[0].message_id), "enqueued_at", "some day")  # who cares
    for job, (field, value) in zip(spoiled, UNREADABLE, strict=True):
        redis_client().hset(layout.job(job.message_id), field, value)
    with worker_here():
        wait_until(lambda: set(state(*sent)) <= {"completed", "failed"}, "all are done with", 10)
    assert state(*sound) == ["completed"] * len(sound)
    assert {entry(job.message_id).deliveries for job in sent} == {1}
    for job, (field, value) in zip(spoiled, UNREADABLE, strict=True):
        assert reason(job) == "undecodable"
        assert redis_client().hget(layout.job(job.message_id), field) == value
    assert outbox() == {job.message_id for job in spoiled}
    assert all(one.created for one in send(*map(str, range(len(sent)))))


def test_a_job_that_this_release_does_not_know_or_calls_otherwise_fails_with_that_reason(
    faults: OwnRedis,
) -> None:
    unknown, fewer, more, fine = sent = send("a", "b", "c", "d")
    for job, changed in (
        (unknown, {"job": "work_of_old"}),
        (fewer, {"args": '["alice"]'}),
        (more, {"args": '["alice","c","quick","loud"]'}),
    ):
        redis_client().hset(layout.job(job.message_id), mapping=changed)
    with worker_here():
        wait_until(lambda: set(state(*sent)) <= {"completed", "failed"}, "all are done with", 10)
    assert state(fine) == ["completed"]
    assert [reason(job) for job in (unknown, fewer, more)] == [
        "unknown_job",
        "wrong_arguments",
        "wrong_arguments",
    ]
    assert {entry(job.message_id).deliveries for job in sent} == {1}
    assert outbox() == {unknown.message_id, fewer.message_id, more.message_id}
    assert send("a")[0].created


def reason(job: Sent) -> str:
    """Return why a job has failed for good."""
    run = entry(job.message_id)
    assert run.state == "failed"
    assert run.failure
    return run.failure.reason


def outbox() -> set[str]:
    """Return what shall become dead letters."""
    return {raw.decode() for raw in redis_client().lrange(layout.OUTBOX, 0, -1)}


def test_a_job_whose_history_is_gone_leaves_nothing_behind(faults: OwnRedis) -> None:
    gone, fine = send("a", "b")
    redis_client().delete(layout.job(gone.message_id))
    redis_client().hdel(layout.LIVE, gone.job_id)
    with worker_here():
        wait_until(lambda: state(fine) == ["completed"], "the other runs", 10)
    assert reading.get(gone.message_id) is None


def test_while_many_wait_for_mongodb_failed_jobs_stay_and_are_not_searched_for_among_them(
    faults: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in send("a", "b"):
        controls.cancel(job.message_id)
    monkeypatch.setitem(QUEUES, QUEUE.name, replace(QUEUE, keep_failed=Keep(1)))
    redis_client().rpush(layout.OUTBOX, *range(1001))
    recovery.sweep()
    assert reading.depth(QUEUE.name).failed == 2
    redis_client().ltrim(layout.OUTBOX, 0, 10)
    recovery.sweep()
    assert reading.depth(QUEUE.name).failed == 1
    redis_client().delete(layout.OUTBOX)


def test_a_log_line_that_cannot_be_formatted_does_not_fail_its_job(
    capsys: pytest.CaptureFixture[str],
) -> None:
    begin(Current("1", "job", 1, 1, 0, "correlation"))
    JobLog().handle(logging.LogRecord("any", logging.INFO, "", 0, "%d jobs", ("many",), None))
    begin(None)
    assert "Logging error" in capsys.readouterr().err


def test_a_cancellation_of_which_the_answer_was_lost_is_heard_at_the_next_beat(
    faults: OwnRedis,
) -> None:
    with worker_here() as broker:
        [job] = send("a", behaviour="listen 20")
        wait_until(lambda: state(job) == ["running"], "it runs")
        controls.cancel(job.message_id)
        scripts.run("beat", broker.worker_id, 60_000, "{}")  # and the connection breaks
        wait_until(lambda: state(job) == ["failed"], "it is cancelled", 5)
        assert reason(job) == "cancelled"
    assert not redis_client().keys(f"{layout.PREFIX}cancel:*")


def test_dramatiqs_own_delay_changes_nothing(faults: OwnRedis) -> None:
    [job] = send("a")
    redis_client().hset(layout.job(job.message_id), "options", '{"eta": 1}')
    with worker_here():
        wait_until(lambda: state(job) == ["completed"], "it runs", 5)


def test_a_job_that_says_too_much_is_cut_short(faults: OwnRedis) -> None:
    [job] = send("a", behaviour="chatter")
    with worker_here():
        wait_until(lambda: state(job) == ["completed"], "it is filed", 10)
    run = entry(job.message_id)
    assert run.progress
    lines = reading.log_lines(job.message_id)
    assert len(lines) == 200
    assert {len(text) for text in (run.summary, run.progress.text, lines[-1].text)} == {1000}
    assert len(lines[-1].fields["more"]) == 1000


def test_what_a_job_says_is_filed_whatever_characters_are_in_it(faults: OwnRedis) -> None:
    [job] = send("a", behaviour="summarize")
    with worker_here():
        wait_until(lambda: state(job) == ["completed"], "it is filed", 10)
    assert entry(job.message_id).summary == "half a ? and a \N{REPLACEMENT CHARACTER}"


def test_a_job_that_is_due_in_a_second_does_not_wait_for_20_000_that_are_due_later(
    faults: OwnRedis,
) -> None:
    with worker_here():
        send_many(Send("work", ("bob", str(n), "quick"), 600) for n in range(20_000))
        due_at = time.time() + 1
        send("soon", delay_seconds=1)
        wait_until(lambda: keys("start") == ["soon"], "it starts", 10, every_seconds=0.01)
    [start] = sights("start")
    assert -0.05 < start.at - due_at < 0.5
