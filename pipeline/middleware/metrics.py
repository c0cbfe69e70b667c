"""Counts and times every attempt of a job, and serves the worker's metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy

from pipeline import metrics
from pipeline.worker_metrics import serve


class JobMetrics(Middleware):
    """Job attempts by outcome, run time, and the wait before the first attempt."""

    def __init__(self) -> None:
        self._started = threading.local()

    @property
    def forks(self) -> list[Callable[[], int]]:
        """Return the process that serves /metrics for all worker processes of one master."""
        return [serve]

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Note when the attempt began."""
        self._started.at = time.monotonic()
        if not message.options.get("retries"):
            waited = time.time() - message.message_timestamp / 1000
            metrics.JOB_WAIT_SECONDS.labels(message.queue_name).observe(max(0.0, waited))

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """Count the attempt by how it ended."""
        labels = (message.queue_name, message.actor_name)
        seconds = time.monotonic() - self._started.at
        metrics.JOB_SECONDS.labels(*labels).observe(seconds)
        metrics.JOBS.labels(*labels, "failed" if exception else "completed").inc()
