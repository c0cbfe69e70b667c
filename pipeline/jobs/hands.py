"""How many jobs a worker process has in hand, and which queue may fetch how many more."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.queues import Queue

#: Jobs that run for less than this are fetched ahead of a free thread: fetching one would
#: take as long as running it.
_BRIEF_MS = 100.0
#: Weight of the newest run in the average.
_NEWEST = 0.1


class Hands:
    """Shared by the consumers of one process.

    A queue has at most its `concurrency` in hand.  Beyond that, a job is taken
    only if a thread is free for it or busy with jobs of less urgent queues:
    what waits in Redis can be run by any process, what is in hand only here.

    Start limits count jobs as they are fetched, so a limited one must start
    then.  Its queue waits for a thread, and claims the next that comes free: who
    is not more urgent leaves it alone.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}
        self._claims: dict[str, int] = {}
        self._priorities: dict[str, int] = {}
        self._average_ms: dict[str, float] = {}
        self._wakers: dict[str, Callable[[], None]] = {}

    def join(self, queue: Queue, wake: Callable[[], None]) -> None:
        """Add the consumer of `queue`; `wake` is called when a job has ended."""
        with self._lock:
            self._held.setdefault(queue.name, 0)
            self._claims.setdefault(queue.name, 0)
            self._priorities[queue.name] = queue.priority
            self._average_ms.setdefault(queue.name, _BRIEF_MS)
            self._wakers[queue.name] = wake

    def room(self, queue: Queue) -> int:
        """Return how many jobs of `queue` may be fetched now."""
        with self._lock:
            most = min(queue.concurrency - self._held[queue.name], self._share(queue))
            if queue.limits:
                free = max(0, self.threads - sum(self._held.values()))
                self._claims[queue.name] = max(0, most - free)
                most = min(most, free)
            return max(0, most)

    def rest(self, queue: Queue) -> None:
        """Note that nothing more of `queue` can start now."""
        with self._lock:
            self._claims[queue.name] = 0

    def took(self, queue: Queue, count: int) -> None:
        """Note that `count` jobs were fetched."""
        with self._lock:
            self._held[queue.name] += count

    def ended(self, queue: Queue, run_ms: float | None) -> None:
        """Note that a job has ended, or was given back without having run."""
        with self._lock:
            self._held[queue.name] -= 1
            if run_ms is not None:
                average = self._average_ms[queue.name]
                self._average_ms[queue.name] = average + _NEWEST * (run_ms - average)
            wakers = list(self._wakers.values())
        for wake in wakers:
            wake()

    def _share(self, queue: Queue) -> int:
        """Return how many more jobs of `queue` may be in hand, beside those of other queues."""
        before = self._sum(self._held, queue.priority - 1)
        beside = self._sum(self._held, queue.priority) - before
        claimed = self._sum(self._claims, queue.priority) - self._claims[queue.name]
        brief = self._average_ms[queue.name] < _BRIEF_MS and not queue.limits and not claimed
        share = self.threads * (2 if brief else 1) - before - beside - claimed
        if self._held[queue.name] == 0 and before + claimed < self.threads:
            # What others of the same priority have fetched ahead must not shut it out.
            return max(1, share)
        return share

    def _sum(self, counts: dict[str, int], priority: int) -> int:
        """Return the sum over all queues of this priority or a more urgent one."""
        return sum(count for name, count in counts.items() if self._priorities[name] <= priority)
