"""What Dramatiq's actors and workers see of the jobs in Redis.

Messages, actors, workers, middleware and the command line are Dramatiq's own.
Its Redis broker is not used: measured, it lets a job that is due in a second
wait behind thousands that are due later, loses retries while Redis is away,
finds the jobs of a killed worker after minutes, and may stop consuming for
good after an error.  What takes its place are the scripts in `lua/`.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import Any

import dramatiq
from dramatiq import Consumer, Message
from dramatiq.errors import QueueJoinTimeout
from dramatiq.middleware import Middleware
from redis import Redis

from pipeline.jobs import identity
from pipeline.jobs.consumer import QueueConsumer
from pipeline.jobs.controls import cancel
from pipeline.jobs.hands import Hands
from pipeline.jobs.layout import of_queue
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import job_named, queue_named

#: What callers of Dramatiq's own `send_with_options` may give besides its options.
_OURS = ("job_id", "tenant_id", "once", "correlation_id")


class HeadraceBroker(dramatiq.Broker):
    """Keeps jobs in Redis as `jobs/layout.py` says.

    There are no delay queues: a delayed job waits in Redis, not in a worker.
    """

    def __init__(self, client: Redis, middleware: list[Middleware]) -> None:
        super().__init__(middleware)
        self.queues: set[str] = set()
        self.client = client
        self.consumers: dict[str, QueueConsumer] = {}
        self.worker_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._hands = Hands(1)

    def use_threads(self, threads: int) -> None:
        """Say how many threads this process has, before it consumes."""
        self._hands.threads = threads

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue of the table.  Raises Misconfigured for any other."""
        queue_named(queue_name)
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        """Return the names of all queues declared so far."""
        return self.queues.copy()

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueue a message, `delay` in ms; returns it as it is queued.

        If its job waits, is delayed or runs, that one's message id is on it.
        Raises Misconfigured for an unknown job, Permanent for arguments that
        no message can carry.
        """
        self.emit_before("enqueue", message, delay)
        options = dict(message.options)
        ours = {name: options.pop(name) for name in _OURS if name in options}
        send = Send(
            message.actor_name,
            identity.in_order(job_named(message.actor_name), message.args, message.kwargs),
            (delay or 0) / 1000,
            options=options or None,
            **ours,
        )
        [sent] = enqueue([send], [message.message_id])
        queued = message.copy(message_id=sent.message_id)
        self.emit_after("enqueue", queued, delay)
        return queued

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> Consumer:  # noqa: ARG002
        """Return the consumer of a queue; how much it fetches, the queue's concurrency says."""
        if queue_name not in self.consumers:
            self.consumers[queue_name] = QueueConsumer(
                queue_named(queue_name), self.worker_id, self._hands, self.client, timeout
            )
        return self.consumers[queue_name]

    def flush(self, queue_name: str) -> None:
        """Cancel all jobs of a queue that wait or are delayed."""
        for state in ("waiting", "delayed"):
            ids: Any = self.client.zrange(of_queue(queue_name, state), 0, -1)
            for message_id in ids:
                cancel(message_id.decode())

    def flush_all(self) -> None:
        """Cancel all jobs that wait or are delayed."""
        for queue_name in self.queues:
            self.flush(queue_name)

    def join(self, queue_name: str, *, interval: int = 100, timeout: int | None = None) -> None:
        """Wait until no job of a queue waits, is delayed or runs; for tests.  Times in ms.

        Raises QueueJoinTimeout.
        """
        deadline = time.monotonic() + timeout / 1000 if timeout else None
        states = [of_queue(queue_name, state) for state in ("waiting", "delayed", "running")]
        while any(self.client.exists(state) for state in states):
            if deadline and time.monotonic() >= deadline:
                raise QueueJoinTimeout(queue_name)
            time.sleep(interval / 1000)
