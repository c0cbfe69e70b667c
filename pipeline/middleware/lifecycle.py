"""Starts and stops what a worker process needs beside its jobs."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

from dramatiq import Broker, Middleware, Worker
from dramatiq.middleware import Shutdown

from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.jobs.broker import HeadraceBroker
from pipeline.jobs.current import keep_lines
from pipeline.jobs.names import check_names
from pipeline.jobs.pump import Janitor, Pump
from pipeline.middleware.context import JobContext

log = logging.getLogger(__name__)

#: After the jobs were interrupted, how long the process waits for those that do not stop.
_LAST_SECONDS = 5.0


class WorkerLifecycle(Middleware):
    """Beats, sweeps, and stops within the grace period whatever the jobs do."""

    def __init__(self, context: JobContext, chores: Sequence[Callable[[], object]] = ()) -> None:
        self._context = context
        self._chores = chores
        self._pump: Pump | None = None
        self._janitor: Janitor | None = None
        self._stopped = threading.Event()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Refuse to start with names that do not exist: such a worker would idle for ever."""
        actors = {name: actor.fn for name, actor in broker.actors.items()}
        try:
            check_names(actors, worker.consumer_whitelist)
        except Misconfigured as error:
            log.critical("the worker does not start", extra={"reason": str(error)})
            sys.exit(2)
        _ours(broker).use_threads(worker.worker_threads)
        keep_lines()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Begin to look for work."""
        self._stopped.clear()
        ours = _ours(broker)
        self._pump = Pump(
            ours.worker_id, worker, ours.consumers, ours.client, self._context.interrupt
        )
        self._janitor = Janitor(self._chores)
        self._pump.start()
        self._janitor.start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Fetch nothing more; interrupt what has not ended in time."""
        for consumer in _ours(broker).consumers.values():
            consumer.fetching = False
        threading.Thread(target=self._hurry, args=(broker,), daemon=True).start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Everything is filed or handed back."""
        self._stopped.set()
        if self._janitor:
            self._janitor.stop()
        if self._pump:
            self._pump.stop()

    def _hurry(self, broker: Broker) -> None:
        grace = settings().shutdown_grace_seconds
        if self._stopped.wait(grace) or not self._context.running():
            return
        log.warning("jobs are interrupted", extra={"jobs": len(self._context.running())})
        for delivery in self._context.running():
            self._context.interrupt(delivery, Shutdown)
        time.sleep(_LAST_SECONDS)
        self._abandon(broker)

    def _abandon(self, broker: Broker) -> None:
        """Hand back jobs whose threads do not hear, and end: others may run them at once."""
        running = self._context.running()
        if self._stopped.is_set() or not running:
            return
        log.error("jobs do not stop; they are handed back", extra={"jobs": len(running)})
        for consumer in _ours(broker).consumers.values():
            consumer.requeue(consumer.in_hand())
            consumer.close()
        os._exit(0)


def _ours(broker: Broker) -> HeadraceBroker:
    assert isinstance(broker, HeadraceBroker)
    return broker
