"""The threads of a worker process that keep it in touch with Redis."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dramatiq import Worker
from dramatiq.worker import ConsumerThread, WorkerThread
from redis import Redis
from redis.exceptions import RedisError

from pipeline.config import settings
from pipeline.errors import HeadraceError
from pipeline.jobs import scripts
from pipeline.jobs.consumer import QueueConsumer
from pipeline.jobs.delivery import JobProxy
from pipeline.jobs.recovery import Sweeper
from pipeline.release import RELEASE

log = logging.getLogger(__name__)

#: How often a worker looks for what may start; a job that becomes due waits no longer.
LOOK_SECONDS = 0.1
#: How often it says that it lives; oftener where it would count as dead after four of these.
BEAT_SECONDS = 5.0
#: A description outlives some beats that do not get through.
_DESCRIBED_MS = 60_000


class Cancelled(BaseException):
    """Raised inside a job that somebody cancelled."""


class Pump:
    """Looks for work, and beats, in a thread of its own, so that both go on while jobs run."""

    def __init__(
        self,
        worker_id: str,
        worker: Worker,
        consumers: Mapping[str, QueueConsumer],
        client: Redis,
        interrupt: Callable[[str, type[BaseException]], object],
    ) -> None:
        self._worker_id = worker_id
        self._worker = worker
        self._consumers = consumers
        self._client = client
        self._interrupt = interrupt
        self._stop = threading.Event()
        self._suspects: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)

    def start(self) -> None:
        """Begin, with a first beat: who has not beaten is not known to anybody."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating; what this worker still has runs again when it counts as dead."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        next_beat = 0.0
        beat_seconds = min(BEAT_SECONDS, settings().worker_timeout_seconds / 4)
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self._check_threads()
                self.look()  # first, for a Redis that is full takes no beat
                if time.monotonic() >= next_beat:
                    self.beat()
                    next_beat = time.monotonic() + beat_seconds
            except RedisError:
                self._stop.wait(1)  # the consumers say so in the log
            except Exception:
                log.critical("the pump failed; this process ends", exc_info=True)
                os._exit(1)

    def look(self) -> None:
        """Move on what is due, and wake the consumers of queues in which something may start."""
        consumers = list(self._consumers.values())
        if not consumers:
            return
        names = [consumer.queue.name for consumer in consumers]
        may_start = scripts.run("look", *names, client=self._client)
        for consumer, ready in zip(consumers, may_start, strict=True):
            if ready:
                consumer.look()

    def beat(self) -> None:
        """Say that this process lives and how far its jobs are; hear what it shall stop."""
        news: list[Any] = []
        for proxy in self._held():
            lines, progress = proxy.current.take_lines(), proxy.current.take_progress()
            if lines or progress:
                news += [proxy.delivery.message_id, progress, json.dumps(lines)]
        believed, cancelled = scripts.run(
            "beat", self._worker_id, _DESCRIBED_MS, self._described(), *news, client=self._client
        )
        self._give_up_lost({member.decode() for member in believed})
        self._cancel(member.decode() for member in cancelled)

    def _held(self) -> list[JobProxy]:
        """Return what was fetched and is not filed.  Consumers may still be joining."""
        return [proxy for one in list(self._consumers.values()) for proxy in one.in_hand()]

    def _described(self) -> str:
        return json.dumps(
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "release": RELEASE,
                "queues": sorted(self._consumers),
                "threads": self._worker.worker_threads,
            }
        )

    def _give_up_lost(self, believed: set[str]) -> None:
        """Hand back what Redis believes this process to have, and it has not.

        That is what an answer of Redis carried that never arrived, or what was
        filed within the last second before Redis lost it.  What is only on its
        way is not taken for lost, for it is gone at the next beat.
        """
        for consumer in list(self._consumers.values()):
            believed -= consumer.known()
        lost = believed & self._suspects
        self._suspects = believed - lost
        if lost:
            log.warning("jobs handed back that got lost on the way", extra={"jobs": len(lost)})
            args = [part for member in sorted(lost) for part in member.split(" ")]
            scripts.run("hand_back", self._worker_id, *args, client=self._client)

    def _cancel(self, deliveries: Iterable[str]) -> None:
        """Stop jobs that run, and let those not begin that have not."""
        wanted = set(deliveries)
        for proxy in self._held():
            if proxy.delivery.name in wanted and not proxy.cancelled:
                proxy.cancelled = True
                self._interrupt(proxy.delivery.name, Cancelled)

    def _check_threads(self) -> None:
        """End the process if one of its threads has died: it would look healthy and idle."""
        threads: list[ConsumerThread | WorkerThread]
        threads = [*self._worker.consumers.values(), *self._worker.workers]
        # A thread that was told to stop has put `running` down before it ends.
        dead = [thread.name for thread in threads if thread.running and not thread.is_alive()]
        if dead:
            log.critical("worker threads have died; this process ends", extra={"threads": dead})
            os._exit(1)


class Janitor:
    """Recovers the jobs of dead workers, and does other chores such as filing dead letters.

    Each has a thread of its own: MongoDB may keep one waiting, which must stop
    neither the beat nor the recovery.
    """

    def __init__(self, chores: Iterable[Callable[[], object]] = ()) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(chore,), name="janitor", daemon=True)
            for chore in (Sweeper().sweep, *chores)
        ]

    def start(self) -> None:
        """Begin; the first sweep comes when this process has been in touch for long enough."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, and leave the rest to other processes."""
        self._stop.set()
        for thread in self._threads:
            thread.join(1)

    def _repeat(self, chore: Callable[[], object]) -> None:
        while not self._stop.wait(settings().sweep_seconds):
            try:
                chore()
            except (RedisError, HeadraceError, OSError) as error:
                log.warning("chore failed", extra={"reason": type(error).__name__})
            except Exception:
                log.exception("chore failed")
