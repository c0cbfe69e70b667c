"""Redis hangs, dies, fills up or takes no writes: nothing is lost, nothing stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from own_redis import OwnRedis, talking_to
from redis.exceptions import ResponseError
from waiting import wait_until
from workers import (
    QUEUE,
    WITNESS_VARIABLE,
    entry,
    keys,
    send,
    sights,
    state,
    worker_here,
    worker_process,
)

from pipeline.jobs import consistency, layout
from pipeline.jobs.sending import Sent
from pipeline.stores import redis_client

#: A job may be late by this much after Redis is back.
RESUMED_SECONDS = 10


class Load:
    """A worker on a Redis of its own that is busy; some jobs wait, and some are delayed."""

    def __init__(self, redis: OwnRedis, folder: Path) -> None:
        self.redis = redis
        self.folder = folder
        self.sent: list[Sent] = []
        self.due: dict[str, float] = {}

    def start(self, stack: ExitStack) -> None:
        """Start the worker, which ends with `stack`."""
        self.folder.mkdir()
        with self.watched():
            stack.enter_context(worker_process(self.folder / "log", threads=4))

    def send(self) -> None:
        """Give it more than it can do before the fault, and what is due during and after it."""
        with self.watched():
            self.sent += send(*map(str, range(800)), behaviour="quick 0.02", user="bob")
            self.sent += send("long", behaviour="listen 6")
            for delay_seconds in (3, 8, 13, 15):
                key = f"after_{delay_seconds}"
                self.due[key] = time.time() + delay_seconds
                self.sent += send(key, delay_seconds=delay_seconds)
            wait_until(lambda: len(keys("end")) > 50, "it is busy")

    def watched(self) -> AbstractContextManager[None]:
        """Look at this one."""
        return talking_to(self.redis, {WITNESS_VARIABLE: str(self.folder / "witness")})

    def assert_unharmed(self, back_at: float) -> None:
        """Everything ran, soon after Redis was back, and nobody was taken for dead."""
        completed = layout.of_queue(QUEUE.name, "completed")
        with self.watched():
            wait_until(
                lambda: redis_client().zcard(completed) == len(self.sent), "everything ran", 40
            )
            resumed_at = min(sight.at for sight in sights("start") if sight.at > back_at)
            assert resumed_at - back_at < RESUMED_SECONDS
            for key, due_at in self.due.items():
                [start] = sights("start", key)
                assert start.at - max(due_at, back_at) < RESUMED_SECONDS
            runs = [entry(one.message_id) for one in self.sent]
            assert {(run.state, run.deaths) for run in runs} == {("completed", 0)}
            assert set(keys("end")) == {run.job_id.removeprefix("work:") for run in runs}
            assert consistency.check() == []


@pytest.mark.timeout(180)
@pytest.mark.long
def test_after_12_seconds_without_redis_work_goes_on_and_nothing_is_lost(
    faults: OwnRedis, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    second = OwnRedis(tmp_path_factory.mktemp("second_redis"))
    hangs, dies = loads = Load(faults, tmp_path / "hangs"), Load(second, tmp_path / "dies")
    with ExitStack() as stack:
        stack.callback(second.close)
        for load in loads:
            load.start(stack)
        for load in loads:
            load.send()
        with hangs.redis.stopped(), dies.redis.gone():
            time.sleep(12)
            back_at = time.time()
        for load in loads:
            load.assert_unharmed(back_at)


@pytest.mark.parametrize("fault", [OwnRedis.out_of_memory, OwnRedis.read_only])
def test_while_redis_refuses_writes_workers_live_on_and_file_everything_afterwards(
    faults: OwnRedis, fault: Callable[[OwnRedis], AbstractContextManager[None]]
) -> None:
    with worker_here():
        sent = send(*map(str, range(200)), behaviour="quick 0.01")
        sent += send("long", behaviour="listen 1") + send("delayed", delay_seconds=1)
        wait_until(lambda: len(keys("end")) > 20 and "long" in keys("start"), "it is busy")
        with fault(faults):
            time.sleep(1.5)
            with pytest.raises(ResponseError):
                send("refused")
            back_at = time.time()
        wait_until(lambda: set(state(*sent)) == {"completed"}, "everything ran", RESUMED_SECONDS)
    runs = [entry(job.message_id) for job in sent]
    assert {(run.deliveries, run.deaths) for run in runs} == {(1, 0)}
    [delayed] = sights("start", "delayed")
    assert delayed.at - back_at < 2
    assert not redis_client().hexists(layout.LIVE, "work:refused")


def test_a_redis_that_is_full_is_emptied(faults: OwnRedis) -> None:
    sent = send(*map(str, range(50)))
    with faults.out_of_memory(), worker_here():
        wait_until(lambda: set(state(*sent)) == {"completed"}, "everything ran", 20)
