"""What is compared: bare Dramatiq and Headrace, each with the same shape."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from redis import Redis

from benchmarks.queue import load
from benchmarks.queue.workers import dramatiq
from pipeline import dispatch
from pipeline.broker import broker
from pipeline.jobs import layout
from pipeline.jobs.sending import Send


class Side(ABC):
    """One way to queue and work through jobs that do nothing.

    `name` is how it is called in the results.  `enqueue_ways` are the ways in
    which it can enqueue: `one` after the other, many adds `concurrently`, `bulk`.
    """

    name: str
    enqueue_ways: tuple[str, ...]

    @abstractmethod
    def enqueue(self, way: str, count: int) -> float:
        """Enqueue `count` jobs; return the seconds that it took."""

    @abstractmethod
    def workers(self) -> list[list[str]]:
        """Return the commands of the worker processes; they wait at the gate."""

    def environment(self) -> dict[str, str]:
        """Return what the environment of the worker processes has besides ours."""
        return {}

    @abstractmethod
    def unfinished(self, redis: Redis) -> int:
        """Return how many jobs wait or run."""

    @abstractmethod
    def failed(self, redis: Redis) -> int:
        """Return how many jobs failed, which should be none."""


class Bare(Side):
    """Stock RedisBroker with its default middleware."""

    name = "bare_dramatiq"
    enqueue_ways = ("one",)

    def enqueue(self, way: str, count: int) -> float:  # noqa: ARG002 - there is one way
        """See Side."""
        from benchmarks.queue.bare_actors import bare_noop

        jobs = list(load.noops(count))
        begun = time.monotonic()
        for job in jobs:
            bare_noop.send(job.user_id, job.item)
        return time.monotonic() - begun

    def workers(self) -> list[list[str]]:
        """See Side."""
        return [dramatiq("benchmarks.queue.bare_actors:broker")]

    def unfinished(self, redis: Redis) -> int:
        """See Side."""
        return count_of(redis.hlen("dramatiq:bare.msgs"))

    def failed(self, redis: Redis) -> int:
        """See Side."""
        return count_of(redis.zcard("dramatiq:bare.XQ"))


class Headrace(Side):
    """Our broker as it is in production: job ids, history, limits, metrics."""

    name = "headrace"
    enqueue_ways = ("one", "bulk")

    def __init__(self) -> None:
        load.add_to_table()
        broker()

    def enqueue(self, way: str, count: int) -> float:
        """See Side."""
        jobs = list(load.noops(count))
        begun = time.monotonic()
        if way == "bulk":
            self.fill(jobs)
        else:
            for job in jobs:
                dispatch.send(load.NOOP.name, job.user_id, job.item, tenant_id=job.tenant_id)
        return time.monotonic() - begun

    def fill(self, jobs: Iterable[load.Noop], delay_seconds: float = 0) -> None:
        """Enqueue many jobs at once."""
        dispatch.send_many(
            Send(
                load.NOOP.name,
                (job.user_id, job.item),
                delay_seconds=delay_seconds,
                tenant_id=job.tenant_id,
            )
            for job in jobs
        )

    def workers(self) -> list[list[str]]:
        """See Side."""
        return [dramatiq("benchmarks.queue.actors", "-Q", load.QUEUE.name)]

    def unfinished(self, redis: Redis) -> int:
        """See Side."""
        return sum(self._in_state(redis, "waiting", "running", "delayed"))

    def failed(self, redis: Redis) -> int:
        """See Side."""
        return sum(self._in_state(redis, "failed"))

    def _in_state(self, redis: Redis, *states: str) -> list[int]:
        pipe = redis.pipeline(transaction=False)
        for state in states:
            pipe.zcard(layout.of_queue(load.QUEUE.name, state))
        return [count_of(answer) for answer in pipe.execute()]


def count_of(answer: Any) -> int:
    """Return Redis' answer as a number; its client types it as maybe awaitable."""
    return int(answer)
