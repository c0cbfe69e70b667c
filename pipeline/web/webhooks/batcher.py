"""Requests that come together are worked on together: one call of a thread for many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: How long the first of a batch waits for company.
_LINGER_SECONDS = 0.002
_MOST_AT_ONCE = 256
#: More than this is not answered in any useful time; whoever asked comes again.
_MOST_WAITING = 4096
#: While one batch is being stored, the next one is read.
_THREADS = 2


class Overloaded(Exception):
    """Too many wait already."""


class Batcher(Generic[T, R]):
    """Collects what is submitted in one event loop, and hands it to `work` in threads.

    `work` gets some items, and returns as many results in their order; what it
    raises, all of them raise.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Sequence[R]], *, most_waiting: int = _MOST_WAITING
    ) -> None:
        self._work = work
        self._most_waiting = most_waiting
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: set[asyncio.Future[Sequence[R]]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="batch")

    async def submit(self, item: T) -> R:
        """Return what `work` makes of `item`.  Raises Overloaded, and what `work` raises."""
        if len(self._waiting) >= self._most_waiting:
            raise Overloaded
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._schedule(_LINGER_SECONDS)
        return await future

    async def drain(self) -> None:
        """Wait until everything that was submitted is done."""
        while self._waiting or self._running:
            self._schedule(0)
            await asyncio.wait(self._running or {asyncio.ensure_future(asyncio.sleep(0))})

    def _schedule(self, wait_seconds: float) -> None:
        if self._waiting and self._timer is None and len(self._running) < _THREADS:
            self._timer = asyncio.get_running_loop().call_later(wait_seconds, self._start)

    def _start(self) -> None:
        self._timer = None
        size = min(len(self._waiting), _MOST_AT_ONCE)
        batch = [self._waiting.popleft() for _ in range(size)]
        items = [item for item, _ in batch]
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._work, items)
        self._running.add(running)
        running.add_done_callback(partial(self._finish, [future for _, future in batch]))

    def _finish(
        self, futures: Sequence[asyncio.Future[R]], done: asyncio.Future[Sequence[R]]
    ) -> None:
        self._running.discard(done)
        # What has come meanwhile has waited for long enough.
        self._schedule(0)
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            return
        for future, result in zip(futures, done.result(), strict=True):
            if not future.done():  # whoever asked may be gone
                future.set_result(result)
