"""Takes the jobs of one queue from Redis, and files there what became of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from dramatiq import Consumer
from dramatiq.broker import MessageProxy
from dramatiq.errors import ActorNotFound
from redis import Redis
from redis.exceptions import RedisError

from pipeline import metrics
from pipeline.errors import Permanent
from pipeline.jobs import scripts
from pipeline.jobs.delivery import Delivery, JobProxy, Outcome, filed, filed_unread
from pipeline.jobs.failure import described, frames
from pipeline.jobs.hands import Hands
from pipeline.limits.profiles import COUNTED_SLOTS, WINDOW_SLOTS
from pipeline.queues import Queue

log = logging.getLogger(__name__)

#: After an error of Redis, the next try.
_PAUSE_SECONDS = 1.0
#: How long a worker that stops tries to file its last jobs; then they are run again.
_LAST_TRIES_SECONDS = 5.0


class QueueConsumer(Consumer):
    """The consumer of one queue in one process; kept as long as the process lives.

    Worker threads only note that a job has ended.  The consumer's own thread
    files it together with fetching the next, one script for many jobs.  No
    error of Redis ever leaves this class: what cannot be filed yet stays here
    and is tried again, for Dramatiq's consumer threads do not survive all errors.
    """

    def __init__(
        self, queue: Queue, worker_id: str, hands: Hands, client: Redis, timeout_ms: int
    ) -> None:
        self.queue = queue
        self.fetching = True
        self._worker_id = worker_id
        self._hands = hands
        self._client = client
        self._timeout_seconds = timeout_ms / 1000
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ready = False
        self._failing = False
        self._cache: deque[JobProxy] = deque()
        self._filed: list[list[Any]] = []
        self._in_hand: dict[tuple[str, int], JobProxy] = {}
        hands.join(queue, self._room_came)

    def look(self) -> None:
        """Wake up: something may start in this queue."""
        self._ready = True
        self._wake.set()

    def _room_came(self) -> None:
        if self._ready:
            self._wake.set()

    def in_hand(self) -> list[JobProxy]:
        """Return what was fetched and is not filed."""
        with self._lock:
            return list(self._in_hand.values())

    def known(self) -> set[str]:
        """Return the deliveries of which this process knows, as `running:<worker>` names them."""
        with self._lock:
            known = {proxy.delivery.name for proxy in self._in_hand.values()}
            return known | {f"{row[0]} {row[1]}" for row in self._filed}

    def __next__(self) -> MessageProxy | None:
        """Return the next job, or None after a while, so that the thread can stop."""
        if not self._cache and self._wake.wait(self._timeout_seconds):
            self._wake.clear()
            self._step()
        return self._cache.popleft() if self._cache else None

    def ack(self, message: MessageProxy) -> None:
        """Note that an attempt has ended; its outcome says how."""
        assert isinstance(message, JobProxy)
        self._note(message, message.outcome or _given_up(message._exception))

    def nack(self, message: MessageProxy) -> None:
        """Note that an attempt has failed for good."""
        assert isinstance(message, JobProxy)
        self._note(message, message.outcome or _given_up(message._exception))

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Let jobs wait again that this process will not run."""
        back = [message for message in messages if isinstance(message, JobProxy)]
        if not back:
            return
        args = [part for one in back for part in (one.delivery.message_id, one.delivery.number)]
        try:
            scripts.run("hand_back", self._worker_id, *args, client=self._client)
        except RedisError as error:
            # They run again when this worker counts as dead.
            log.warning(
                "jobs not handed back",
                extra={"queue": self.queue.name, "jobs": len(back), "reason": _name(error)},
            )
        for one in back:
            self._let_go(one)
            self._hands.ended(self.queue, None)

    def close(self) -> None:
        """File what has ended, and hand back what was fetched and not begun."""
        deadline = time.monotonic() + _LAST_TRIES_SECONDS
        while self._filed and time.monotonic() < deadline:
            self._call(0)
        unread, self._cache = list(self._cache), deque()
        self.requeue(unread)

    def _note(self, message: JobProxy, outcome: Outcome) -> None:
        self._let_go(message, filed(message, outcome))
        self._hands.ended(self.queue, message.run_ms if message.started_at_ms else None)
        self._wake.set()

    def _let_go(self, message: JobProxy, row: list[Any] | None = None) -> None:
        key = (message.delivery.message_id, message.delivery.number)
        with self._lock:
            self._in_hand.pop(key, None)
            if row is not None:
                self._filed.append(row)

    def _step(self) -> None:
        """File and fetch, as much as there is to do."""
        room = self._hands.room(self.queue) if self._ready and self.fetching else 0
        if room or self._filed:
            fetched = self._call(room)
            if fetched is not None and len(fetched) < room:
                self._ready = False  # until the next look finds more
                self._hands.rest(self.queue)

    def _call(self, room: int) -> list[Any] | None:
        """Run the script; return the fetched rows, or None if Redis did not answer."""
        with self._lock:
            rows = self._filed[:]
        args = [self.queue.name, self._worker_id, room, len(rows), *self._config()]
        try:
            kept, fetched, hits = scripts.run(
                "step", *args, *(part for row in rows for part in row), client=self._client
            )
        except RedisError as error:
            self._after_error(error)
            return None
        with self._lock:
            del self._filed[: len(rows)]
        self._count_hits(hits)
        if self._failing:
            self._failing = False
            log.info("Redis answers again", extra={"queue": self.queue.name})
        else:  # or an earlier call may have filed them, of which the answer was lost
            self._count_fenced(len(kept) - sum(kept))
        for row in fetched:
            self._accept(Delivery.parsed(row))
        return list(fetched)

    def _accept(self, delivery: Delivery) -> None:
        """Queue a delivery for the worker threads, or fail it if it cannot be read."""
        try:
            proxy = JobProxy(delivery.message(self.queue.name), delivery)
        except (ValueError, LookupError, Permanent) as error:
            with self._lock:
                self._filed.append(filed_unread(delivery, _unread(error)))
            self._wake.set()
            return
        self._hands.took(self.queue, 1)
        with self._lock:
            self._in_hand[delivery.message_id, delivery.number] = proxy
        self._cache.append(proxy)

    def _config(self) -> list[Any]:
        queue = self.queue
        completed, failed = queue.keep_completed, queue.keep_failed
        args: list[Any] = [
            queue.one_per or "",
            completed.count,
            failed.count,
            round((completed.seconds or 0) * 1000),
            round((failed.seconds or 0) * 1000),
            len(queue.limits),
        ]
        for limit in queue.limits:
            slot_us = -(-limit.seconds * 1_000_000 // WINDOW_SLOTS)
            args += [limit.scope, limit.starts, slot_us, COUNTED_SLOTS]
        return args

    def _count_hits(self, scopes: list[bytes]) -> None:
        for scope in scopes:
            metrics.RATE_LIMIT_HITS.labels(self.queue.name, scope.decode()).inc()

    def _count_fenced(self, fenced: int) -> None:
        if fenced:
            # This process had been silent for so long that others took its jobs.
            metrics.JOBS_FENCED.labels(self.queue.name).inc(fenced)
            log.warning("jobs were taken over", extra={"queue": self.queue.name, "jobs": fenced})

    def _after_error(self, error: RedisError) -> None:
        if not self._failing:
            self._failing = True
            log.error(
                "Redis fails; jobs wait until it answers",
                extra={"queue": self.queue.name, "reason": _name(error)},
            )
        time.sleep(_PAUSE_SECONDS)
        self._wake.set()


def _given_up(error: BaseException | None) -> Outcome:
    """Return the outcome of a message that Dramatiq rejected before it ran, or of which no
    middleware could say what comes next."""
    error = error or RuntimeError()
    reason = "unknown_job" if isinstance(error, ActorNotFound) else "attempts_spent"
    return Outcome("failed", letter=True, error=described(error, reason), traceback=frames(error))


def _unread(error: Exception) -> Outcome:
    """Return the outcome of what cannot become a message."""
    reason = {LookupError: "unknown_job", Permanent: "wrong_arguments"}.get(
        type(error), "undecodable"
    )
    text = "" if reason == "undecodable" else str(error)
    return Outcome(
        "failed",
        letter=True,
        error={"class": type(error).__name__, "message": text, "reason": reason},
    )


def _name(error: Exception) -> str:
    return type(error).__name__
