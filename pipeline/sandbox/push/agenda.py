"""Whose turn it is: watches that have something to say, each in one pair of hands at a time."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable

from pipeline.sandbox.clock import Clock


class Agenda:
    """When which watch has to be looked at.  Any thread may call any method.

    It holds no notifications: those are rows, and a look finds what there is to say by then.
    A watch that is woken while somebody looks after it is looked at again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[int, int]] = []
        self._due: dict[int, int] = {}
        self._taken: dict[int, bool] = {}  # whether it was woken meanwhile
        self._closed = False

    def wake(self, watch_n: int, due_ms: int) -> None:
        """Look at this watch at `due_ms` of the sandbox's clock, or earlier if that is planned."""
        with self._changed:
            if watch_n in self._taken:
                self._taken[watch_n] = True
            else:
                self._plan(watch_n, due_ms)

    def take(self) -> int | None:
        """Wait for a watch that is due, and take it; None once the agenda is closed."""
        with self._changed:
            while not self._closed:
                due_ms, now_ms = self._earliest(), self._clock.now_ms()
                if due_ms is not None and due_ms <= now_ms:
                    _, watch_n = heapq.heappop(self._heap)
                    del self._due[watch_n]
                    self._taken[watch_n] = False
                    return watch_n
                self._changed.wait(None if due_ms is None else (due_ms - now_ms) / 1000)
            return None

    def take_too(self, watch_ns: Iterable[int]) -> list[int]:
        """Take those of these watches as well that nobody else has; never waits."""
        with self._changed:
            free = [watch_n for watch_n in watch_ns if watch_n not in self._taken]
            for watch_n in free:
                self._due.pop(watch_n, None)
                self._taken[watch_n] = False
            return free

    def give_back(self, watch_n: int, due_ms: int | None) -> None:
        """Plan the next look at a watch that was taken, or none."""
        with self._changed:
            if self._taken.pop(watch_n):
                due_ms = self._clock.now_ms()
            if due_ms is not None:
                self._plan(watch_n, due_ms)

    def look_at_the_clock(self) -> None:
        """The sandbox's clock was moved."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def _plan(self, watch_n: int, due_ms: int) -> None:
        if due_ms < self._due.get(watch_n, due_ms + 1):
            self._due[watch_n] = due_ms
            heapq.heappush(self._heap, (due_ms, watch_n))
            self._changed.notify()

    def _earliest(self) -> int | None:
        """The next planned moment, without plans that an earlier one has replaced."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
