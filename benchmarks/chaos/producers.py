"""Two producers that send what the plan says, and send again until it is acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from redis.exceptions import RedisError

from benchmarks.chaos.plan import Batch, Plan, PlannedJob
from pipeline.jobs import controls, layout
from pipeline.jobs.sending import Send, Sent, enqueue
from pipeline.stores import redis_client

_PAUSE_SECONDS = 0.2
#: What overwrites the arguments of a `garbage` job: not even text.
_GARBAGE = b"\x80\x04not json\xff"
#: It is delayed until it is spoilt, so that nobody fetches it before.
_GARBAGE_DELAY_SECONDS = 20.0

T = TypeVar("T")


class GivenUp(Exception):
    """The run ends before Redis has acknowledged something."""


class Producer:
    """Sends its part of the plan from two threads: batches by the clock, rounds as jobs end.

    Most sends carry a token, so that they count once: whatever the other producer
    does, and however often they are sent again after an error.  `told` has the
    message ids that were returned for each job without one, and `unsure` those of
    these jobs of which an answer never came.
    """

    def __init__(self, plan: Plan, number: int) -> None:
        self.resent = 0
        self.told: dict[str, set[str]] = {}
        self.unsure: set[str] = set()
        self._plan = plan
        self._number = number
        self._jobs = {job.key: job for job in plan.jobs}
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=f"producer-{number}")
            for work in (self._send_batches, self._send_rounds)
        ]

    def start(self) -> None:
        """Begin to send; the times of the plan count from now."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Return whether everything was sent and acknowledged."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Give up what has not been acknowledged yet."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except GivenUp:
            return

    def _send_batches(self) -> None:
        for batch in self._plan.batches:
            if batch.producer == self._number:
                self._stop.wait(max(0.0, self._began + batch.at_seconds - time.monotonic()))
                self._send_batch(batch, [self._jobs[key] for key in batch.keys])

    def _send_batch(self, batch: Batch, jobs: Sequence[PlannedJob]) -> None:
        garbage = [job for job in jobs if job.behaviour == "garbage"]
        self._send([job for job in jobs if job not in garbage], batch.delay_seconds)
        for sent in self._send(garbage, _GARBAGE_DELAY_SECONDS):
            self._acknowledged(_spoil, sent.message_id)
            self._acknowledged(controls.promote, sent.message_id)

    def _send_rounds(self) -> None:
        """Send the jobs that run several times: again, as soon as a round has ended."""
        sent = {job.key: 0 for job in self._plan.jobs if job.rounds > 1}
        while sent and not self._stop.wait(_PAUSE_SECONDS):
            for job in [self._jobs[key] for key in sent]:
                if not self._acknowledged(redis_client().hexists, layout.LIVE, job.job_id):
                    self._send([job], 0, sent[job.key])
                    sent[job.key] += 1
                    if sent[job.key] == job.rounds:
                        del sent[job.key]

    def _send(
        self, jobs: Sequence[PlannedJob], delay_seconds: float, number: int = 0
    ) -> list[Sent]:
        sends = [
            Send(
                job.job,
                job.args,
                delay_seconds,
                job.tenant,
                once=f"{job.key}:{number}" if job.token else None,
            )
            for job in jobs
        ]
        before = self.resent
        sent = self._acknowledged(enqueue, sends)
        for job, one in zip(jobs, sent, strict=True):
            if not job.token:
                self.told.setdefault(job.job_id, set()).add(one.message_id)
                if self.resent > before:
                    self.unsure.add(job.job_id)
        return sent

    def _acknowledged(self, ask: Callable[..., T], *args: object) -> T:
        """Return the answer of Redis, however long it takes.  Raises GivenUp after `stop`."""
        while not self._stop.is_set():
            try:
                return ask(*args)
            except RedisError:
                self.resent += 1
                self._stop.wait(_PAUSE_SECONDS)
        raise GivenUp


def _spoil(message_id: str) -> None:
    """Make the arguments of a delayed job unreadable."""
    if redis_client().hget(layout.job(message_id), "state") == b"delayed":
        redis_client().hset(layout.job(message_id), "args", _GARBAGE)
