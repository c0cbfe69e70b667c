"""How worker processes start and stop: what they finish, what they hand back, how they exit."""

from __future__ import annotations

import time
from pathlib import Path

from own_redis import OwnRedis
from waiting import wait_until
from workers import entry, keys, send, waiting, worker_process


def test_a_worker_that_is_told_to_stop_finishes_what_runs_and_hands_back_the_rest_in_order(
    faults: OwnRedis, worker_log: Path
) -> None:
    with worker_process(worker_log, threads=2) as worker:
        send("brief")  # after which it fetches ahead
        wait_until(lambda: keys("end") == ["brief"], "the worker works")
        sent = send(*"abcdefgh", behaviour="listen 1")
        wait_until(lambda: sorted(keys("start")) == ["a", "b", "brief"], "two run")
        wait_until(lambda: len(waiting()) == 4, "two more are fetched")
        worker.terminate()
        assert worker.wait(10) == 0
    assert sorted(keys("end")) == ["a", "b", "brief"]
    assert waiting() == list("cdefgh")
    assert [entry(one.message_id).attempts for one in sent] == [1, 1, 0, 0, 0, 0, 0, 0]


def test_after_the_grace_period_jobs_are_interrupted_and_those_that_do_not_hear_handed_back(
    faults: OwnRedis, worker_log: Path
) -> None:
    with worker_process(worker_log, SHUTDOWN_GRACE_SECONDS="0.5") as worker:
        jobs = send("hears", behaviour="listen 60") + send("does_not", behaviour="deaf 60")
        wait_until(lambda: len(keys("start")) == 2, "both run")
        worker.terminate()
        told_at = time.monotonic()
        wait_until(lambda: waiting() == ["hears"], "the one that hears waits again", 5)
        assert time.monotonic() - told_at < 0.5 + 5  # before those that do not hear are given up
        assert worker.wait(20) == 0
    assert sorted(waiting()) == ["does_not", "hears"]
    assert keys("end") == []
    for job in jobs:
        run = entry(job.message_id)
        assert (run.state, run.attempts, run.deaths) == ("waiting", 0, 0)


def test_a_worker_whose_fetching_thread_dies_ends_with_an_error(
    faults: OwnRedis, worker_log: Path
) -> None:
    with worker_process(worker_log) as worker:
        send("culprit", behaviour="kill_consumer")
        assert worker.wait(10) != 0
    assert "worker threads have died" in worker_log.read_text()


def test_a_queue_that_does_not_exist_ends_the_start_and_names_one_that_does(
    faults: OwnRedis, worker_log: Path
) -> None:
    with worker_process(worker_log, "-Q", "fault") as worker:
        assert worker.wait(10) == 2
    assert "there is no queue 'fault'; did you mean 'faults'?" in worker_log.read_text()
