"""Probe jobs, on queues of the table or of a test's own, and those who run them.

`Probes` is a table that knows no jobs but those of the test, and starts workers in this
process.  `Hand` is a worker without threads: it does one thing when it is told to.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dramatiq
import pytest
from waiting import wait_until

from pipeline import queues
from pipeline.broker import make_broker
from pipeline.jobs import consistency, layout, reading, scripts
from pipeline.jobs.broker import HeadraceBroker
from pipeline.jobs.consumer import QueueConsumer
from pipeline.jobs.delivery import Delivery, JobProxy, Outcome, filed
from pipeline.jobs.entries import Entry
from pipeline.jobs.hands import Hands
from pipeline.jobs.names import actor_options
from pipeline.jobs.sending import Send, Sent, enqueue
from pipeline.middleware.outcomes import outcome_of
from pipeline.queues import Job, Keep, Queue
from pipeline.stores import redis_client

PROBE = Queue(
    "probe",
    attempts=3,
    backoff_ms=1000,
    priority=5,
    concurrency=8,
    keep_completed=Keep(1000),
    keep_failed=Keep(1000),
)


def queue(name: str = "probe", **changes: Any) -> Queue:
    """Return a queue of a test's own."""
    return replace(PROBE, name=name, **changes)


class Probes:
    """The table, for one test: all queues, and the jobs that the test adds."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._functions: dict[str, Callable[..., Any]] = {}
        for name in reversed(list(queues.JOBS)):  # put back in reverse order
            patch.delitem(queues.JOBS, name)

    def add(self, name: str, queue: Queue, *arguments: str, **more: Any) -> Job:
        """Add a job that nobody runs but a `Hand`."""
        job = Job(name, queue, arguments, **more)
        self._patch.setitem(queues.QUEUES, queue.name, queue)
        self._patch.setitem(queues.JOBS, name, job)
        return job

    def run(self, function: Callable[..., Any], queue: Queue, **more: Any) -> Job:
        """Add a job that workers run: `function`, with its name and arguments."""
        name = more.pop("name", function.__name__)
        self._functions[name] = function
        return self.add(name, queue, *inspect.signature(function).parameters, **more)

    @contextmanager
    def working(self, threads: int = 8, *, limits_time: bool = False) -> Iterator[HeadraceBroker]:
        """Run a worker in this process, as `dramatiq actors` would.

        `limits_time`: with the thread that stops jobs that take too long, which never ends.
        """
        broker = make_broker()
        for name, function in self._functions.items():
            dramatiq.actor(function, broker=broker, **actor_options(name))
        served = {queues.JOBS[name].queue.name for name in self._functions}
        worker = dramatiq.Worker(broker, queues=served, worker_timeout=50, worker_threads=threads)
        if limits_time:
            broker.emit_after("process_boot")
        worker.start()
        try:
            yield broker
        finally:
            worker.stop()
            broker.close()


class Hand:
    """A worker that does one thing at a time, as step.lua and the others offer them."""

    def __init__(self, worker_id: str = "hand") -> None:
        self.worker_id = worker_id

    def fetch(self, queue: Queue, count: int = 1) -> list[JobProxy]:
        """Fetch up to `count` jobs."""
        return self.step(queue, count)[1]

    def one(self, queue: Queue) -> JobProxy:
        """Fetch the next job, of which there must be one."""
        [proxy] = self.fetch(queue)
        return proxy

    def file(self, proxy: JobProxy, outcome: Outcome) -> bool:
        """File how an attempt ended; False if it was no longer this worker's."""
        [kept] = self.step(queues.QUEUES[proxy.queue_name], 0, (proxy, outcome))[0]
        return bool(kept)

    def end(self, proxy: JobProxy, error: BaseException | None = None) -> bool:
        """File an attempt that ended with `error`, or well."""
        return self.file(proxy, outcome_of(proxy, error))

    def give_back(self, proxies: Sequence[JobProxy]) -> int:
        """Let jobs wait again; return how many were this worker's."""
        args = [part for one in proxies for part in (one.message_id, one.delivery.number)]
        return int(scripts.run("hand_back", self.worker_id, *args))

    def step(
        self, queue: Queue, want: int, *ended: tuple[JobProxy, Outcome]
    ) -> tuple[list[int], list[JobProxy], list[str]]:
        """File and fetch in one step; return what was filed, fetched, and which limits were hit."""
        consumer = QueueConsumer(queue, self.worker_id, Hands(1), redis_client(), 0)
        rows = [part for proxy, outcome in ended for part in filed(proxy, outcome)]
        kept, fetched, hits = scripts.run(
            "step", queue.name, self.worker_id, want, len(ended), *consumer._config(), *rows
        )
        deliveries = [Delivery.parsed(row) for row in fetched]
        return (
            kept,
            [JobProxy(one.message(queue.name), one) for one in deliveries],
            [hit.decode() for hit in hits],
        )


def send(job: str, *args: Any, **more: Any) -> Sent:
    """Enqueue one job."""
    [sent] = enqueue([Send(job, args, **more)])
    return sent


def look(*queues_: Queue) -> list[bool]:
    """Move on what is due, as workers do ten times a second; say where something may start."""
    return [bool(may) for may in scripts.run("look", *(queue.name for queue in queues_))]


def entry(message_id: str) -> Entry:
    """Return a run that history must have."""
    found = reading.get(message_id)
    assert found is not None
    return found


def field(message_id: str, name: str) -> str:
    """Return a field of a run as it lies in Redis; empty if there is none."""
    value = redis_client().hget(layout.job(message_id), name)
    return value.decode() if isinstance(value, bytes) else ""


def members(queue: Queue, state: str) -> list[str]:
    """Return the message ids in one state, in order."""
    key = layout.of_queue(queue.name, state)
    return [message_id.decode() for message_id in redis_client().zrange(key, 0, -1)]


def now_ms() -> int:
    """Return the time by the clock of Redis."""
    seconds, microseconds = redis_client().time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def until_idle(*queues_: Queue, seconds: float = 30) -> None:
    """Wait until nothing waits, is delayed or runs."""
    keys = [
        layout.of_queue(queue.name, state)
        for queue in queues_
        for state in ("waiting", "delayed", "running")
    ]
    wait_until(lambda: not redis_client().exists(*keys), "all jobs have ended", seconds, 0.02)


def assert_consistent() -> None:
    """Everything that lies in Redis agrees with everything else."""
    assert consistency.check() == []


def pass_seconds(seconds: float) -> None:
    """Let time pass, by the clock of Redis too."""
    end = now_ms() + seconds * 1000
    while (rest := end - now_ms()) >= 0:
        time.sleep(rest / 1000 + 0.001)
