"""Workers that die, hang or lose an answer: their jobs run again, and count once."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from own_redis import OwnRedis
from probes import Hand
from redis.exceptions import RedisError
from waiting import wait_until
from workers import (
    QUEUE,
    entry,
    keys,
    send,
    signal_all,
    state,
    waiting,
    worker_here,
    worker_process,
)

from pipeline.jobs import controls, layout, recovery
from pipeline.jobs.pump import Janitor
from pipeline.jobs.sending import Send, enqueue
from pipeline.jobs.workers import workers
from pipeline.stores import redis_client

#: Silence of 2 s, sweeps and beats in between, and a machine that is busy.
RECOVERED_SECONDS = 2 + 0.3 + 0.5 + 1.5


def test_one_process_alone_recovers_what_a_killed_fleet_had_in_hand_and_it_runs_again(
    faults: OwnRedis, worker_log: Path
) -> None:
    of_one_mailbox = [Send("work_alone", ("box", key, "listen 60 once")) for key in "xy"]
    with worker_process(worker_log, threads=3) as worker:
        alone = enqueue(of_one_mailbox)
        wait_until(lambda: keys("start") == ["x"], "one of two runs")
        sent = send(*"abcd", behaviour="listen 60 once")
        wait_until(lambda: waiting() == ["c", "d"], "two others run")
        signal_all(worker, signal.SIGKILL)
    mongodb = threading.Event()
    janitor = Janitor([lambda: mongodb.wait(20)])  # a chore that hangs
    janitor.start()
    wait_until(lambda: len(waiting()) == 4, "all wait again", RECOVERED_SECONDS)
    mongodb.set()
    janitor.stop()
    assert waiting() in (list("abcd"), list("bacd"))  # those that ran come first
    assert workers() == []
    for job in (*sent[2:], alone[1]):
        controls.cancel(job.message_id)
    interrupted = [*sent[:2], alone[0]]
    with worker_here():
        wait_until(lambda: state(*interrupted) == ["completed"] * 3, "all have run again")
    for job in interrupted:
        run = entry(job.message_id)
        # What died does not count as an attempt.
        assert (run.deliveries, run.deaths, run.attempts) == (2, 1, 1)


def test_a_job_that_kills_its_workers_is_set_aside_and_its_neighbours_run(
    faults: OwnRedis, worker_log: Path
) -> None:
    [poison] = send("poison", behaviour="kill_worker")
    neighbours = send("a", "b", "c", behaviour="listen 0.5")
    for death in (1, 2, 3):
        with worker_process(worker_log, threads=4) as worker:
            assert worker.wait(10) != 0
        look_silent()
        recovery.sweep()
        assert entry(poison.message_id).deaths == death
    with worker_process(worker_log, threads=4):
        wait_until(lambda: state(*neighbours) == ["completed"] * 3, "the neighbours ran", 10)
    run = entry(poison.message_id)
    assert run.state == "failed"
    assert run.failure
    assert run.failure.reason == "killed_worker"
    assert redis_client().lrange(layout.OUTBOX, 0, -1) == [poison.message_id.encode()]
    assert send("poison")[0].created


def look_silent() -> None:
    """Let all workers have been silent for ever, which saves waiting for it."""
    for worker_id in redis_client().zrange(layout.WORKERS, 0, -1):
        redis_client().zadd(layout.WORKERS, {worker_id: 0})


def test_a_worker_that_was_stopped_for_too_long_changes_nothing(
    faults: OwnRedis, worker_log: Path
) -> None:
    with worker_process(worker_log) as stalled:
        [job] = send("a", behaviour="listen 1 once")
        wait_until(lambda: keys("start") == ["a"], "it runs")
        signal_all(stalled, signal.SIGSTOP)
        with worker_here() as here:
            wait_until(lambda: state(job) == ["completed"], "another has run it", RECOVERED_SECONDS)
            first_to_end = entry(job.message_id)
            signal_all(stalled, signal.SIGCONT)
            wait_until(lambda: len(keys("end")) == 2, "the stalled one ends it, too")
            wait_until(lambda: "jobs were taken over" in worker_log.read_text(), "in vain")
            assert entry(job.message_id) == first_to_end
            assert first_to_end.worker == here.worker_id
            assert send("a")[0].created


def test_jobs_whose_delivery_got_lost_on_the_way_are_handed_back(faults: OwnRedis) -> None:
    with worker_here() as broker:
        consumer = broker.consumers[QUEUE.name]
        consumer.fetching = False
        [job] = send("a")
        # As if the connection had broken before the answer came.
        Hand(broker.worker_id).one(QUEUE)
        assert state(job) == ["running"]
        consumer.fetching = True
        wait_until(lambda: state(job) == ["completed"], "it runs after all", 5)
    run = entry(job.message_id)
    assert (run.deliveries, run.attempts, run.deaths) == (2, 1, 0)


def test_nobody_counts_as_dead_who_could_not_beat_because_redis_took_no_writes(
    faults: OwnRedis,
) -> None:
    [job] = send("a")
    Hand("one that lives").one(QUEUE)
    sweeper = recovery.Sweeper()
    sweeper.sweep()
    with faults.read_only():
        for _ in range(6):
            time.sleep(0.4)
            with suppress(RedisError):
                sweeper.sweep()
    assert sweeper.sweep() is None
    assert state(job) == ["running"]


def test_a_worker_beats_often_enough_for_whatever_counts_as_silence(faults: OwnRedis) -> None:
    ages = []
    with worker_here():
        wait_until(workers, "it beats")
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            ages += [worker.beat_age_seconds for worker in workers()]
            time.sleep(0.02)
    assert max(ages) < 1
