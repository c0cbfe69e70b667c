"""Lets a job know who it is, and keeps its time."""

from __future__ import annotations

import threading
import time
from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.middleware import SkipMessage
from dramatiq.middleware.threading import raise_thread_exception

from pipeline.jobs.current import begin
from pipeline.jobs.delivery import JobProxy


class JobContext(Middleware):
    """The first in the list, so that whatever else runs around a job can ask for it."""

    def __init__(self) -> None:
        self._threads: dict[str, int] = {}
        self._lock = threading.Lock()

    def interrupt(self, delivery: str, exception: type[BaseException]) -> bool:
        """Raise `exception` in the job of `<message id> <delivery number>`, if it runs here.

        The thread cannot leave its job meanwhile, for outside of one the
        exception would end it.
        """
        with self._lock:
            thread_id = self._threads.get(delivery)
            if thread_id is not None:
                raise_thread_exception(thread_id, exception)
        return thread_id is not None

    def running(self) -> list[str]:
        """Return the deliveries that run now."""
        with self._lock:
            return list(self._threads)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Begin, unless somebody cancelled it since it was fetched."""
        assert isinstance(message, JobProxy)
        with self._lock:
            if message.cancelled:
                raise SkipMessage("cancelled before it began")
            self._threads[message.delivery.name] = threading.get_ident()
        message.started_at_ms = round(time.time() * 1000)
        begin(message.current)

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """End."""
        assert isinstance(message, JobProxy)
        with self._lock:
            self._threads.pop(message.delivery.name, None)
        if message.started_at_ms:
            message.run_ms = max(0, round(time.time() * 1000) - message.started_at_ms)
        begin(None)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """End, if the job was skipped."""
        self.after_process_message(broker, message)
