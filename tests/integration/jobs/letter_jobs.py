"""A job that fails for chosen users, and a worker of this process that runs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import pytest
from waiting import wait_until

from pipeline import dead_letters, queues
from pipeline.broker import make_broker
from pipeline.dead_letters import replaying
from pipeline.errors import Permanent
from pipeline.jobs import layout
from pipeline.jobs.current import log_line
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import Job, Keep, Queue
from pipeline.stores import redis_client

QUEUE = Queue(
    "letters",
    attempts=1,
    backoff_ms=50,
    priority=1,
    concurrency=16,
    keep_completed=Keep(10),
    keep_failed=Keep(10),
)
DELIVER = Job("deliver", QUEUE, ("user_id",))
#: A job whose failures are of another cause, on a queue of the real table.
WRAP = Job("wrap", queues.INDEXING, ("user_id", "paper"))


class Bad(Permanent):
    """What the job raises."""


class Deliveries:
    """Which users' deliveries fail, and how often each was run to its end."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.done: Counter[str] = Counter()

    def deliver(self, user_id: str) -> None:
        """The job."""
        log_line("on the way", user_id=user_id)
        if user_id in self.failing:
            raise Bad(f"nobody opens at number {len(user_id)}")
        self.done[user_id] += 1

    def wrap(self, user_id: str, paper: str) -> None:
        """The other job, which fails until it is told not to."""
        if user_id in self.failing:
            raise Bad(f"paper '{paper}' is torn")
        self.done[user_id] += 1


@contextmanager
def only_these_jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the table know the jobs of this file, the one that replays, and no others."""
    replay = queues.JOBS["replay"]
    with monkeypatch.context() as patch:
        for name in reversed(list(queues.JOBS)):  # put back in reverse order
            patch.delitem(queues.JOBS, name)
        patch.setitem(queues.QUEUES, QUEUE.name, QUEUE)
        for job in (DELIVER, WRAP, replay):
            patch.setitem(queues.JOBS, job.name, job)
        yield


@contextmanager
def working(deliveries: Deliveries) -> Iterator[None]:
    """Run a worker in this process, as `dramatiq actors` would."""
    broker = make_broker()
    replay = queues.JOBS["replay"], replaying.carry_on
    for job, function in ((DELIVER, deliveries.deliver), (WRAP, deliveries.wrap), replay):
        dramatiq.actor(function, actor_name=job.name, queue_name=job.queue.name, broker=broker)
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=8)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        broker.close()


def send(*user_ids: str, tenant_id: str = "acme") -> list[str]:
    """Enqueue a delivery for each user; return the message ids."""
    sent = enqueue([Send("deliver", (user,), tenant_id=tenant_id) for user in user_ids])
    return [one.message_id for one in sent]


def die(deliveries: Deliveries, *user_ids: str, tenant_id: str = "acme") -> list[str]:
    """Have the delivery of each user fail, and leave it in the outbox."""
    before = redis_client().llen(layout.OUTBOX)
    deliveries.failing.update(user_ids)
    message_ids = send(*user_ids, tenant_id=tenant_id)
    wait_until(
        lambda: redis_client().llen(layout.OUTBOX) == before + len(user_ids), "the jobs have died"
    )
    return message_ids


def letters_of(deliveries: Deliveries, *user_ids: str, tenant_id: str = "acme") -> list[str]:
    """Have the delivery of each user become a dead letter; return the ids of the letters."""
    message_ids = die(deliveries, *user_ids, tenant_id=tenant_id)
    assert dead_letters.drain() == len(user_ids)
    return message_ids
