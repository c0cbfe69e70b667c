"""From endpoints to the inbox, and from there to jobs: what one process does at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

from pymongo.errors import PyMongoError

from pipeline.dispatch import send_many
from pipeline.errors import HeadraceError
from pipeline.jobs.sending import Send
from pipeline.push.inbox import Notice, Verdict, accept
from pipeline.web.webhooks.answers import Refusal
from pipeline.web.webhooks.batcher import Batcher, Overloaded

log = logging.getLogger(__name__)

#: Whoever pushes waits for some seconds; later, the answer would reach nobody.
_ANSWER_SECONDS = 5.0
_COME_AGAIN_SECONDS = 5
#: While Redis is away no more than this is remembered: a tick finds the rest.
_MOST_TO_WAKE = 10_000


class Waker:
    """Sends the jobs of what was kept, each once however often it is asked for.

    Nobody waits for it: what is kept is safe, and Redis may be away.
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._waiting: set[tuple[str, str]] = set()
        self._sending: asyncio.Future[Any] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="waker")

    def wake(self, kept: Iterable[tuple[str, str]]) -> None:
        """Have the jobs of these sent soon: the id that each takes, and its tenant or nothing."""
        for one in kept:
            if len(self._waiting) < _MOST_TO_WAKE:
                self._waiting.add(one)
        self._start()

    async def drain(self) -> None:
        """Wait until all are sent, or Redis has not taken them."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    def _start(self) -> None:
        if self._sending is None and self._waiting:
            taken, self._waiting = self._waiting, set()
            loop = asyncio.get_running_loop()
            self._sending = loop.run_in_executor(self._thread, self._send, taken)
            self._sending.add_done_callback(self._finish)

    def _finish(self, done: asyncio.Future[Any]) -> None:
        self._sending = None
        error = done.exception()
        if error is not None:
            log.warning("jobs not sent; sent later", extra={"reason": type(error).__name__})
        self._start()

    def _send(self, kept: set[tuple[str, str]]) -> None:
        send_many(Send(self._job, (row_id,), tenant_id=tenant_id) for row_id, tenant_id in kept)


class Intake:
    """Takes in notifications: judged and kept before they are answered."""

    def __init__(self) -> None:
        self._inbox: Batcher[Notice, Verdict] = Batcher(accept)
        self._waker = Waker("notification")

    async def take(self, notice: Notice) -> Verdict:
        """Return what came of `notice`.  Raises Refusal, for another try, if it is not kept."""
        [verdict] = await self.take_all([notice])
        return verdict

    async def take_all(self, notices: Sequence[Notice]) -> list[Verdict]:
        """Return what came of `notices`, in order.  Raises Refusal if not all are kept.

        To have those that were kept sent again does no harm.
        """
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                verdicts = await asyncio.gather(*map(self._inbox.submit, notices))
        except Overloaded:
            raise later("overloaded", "Too many notifications wait to be stored.") from None
        except (TimeoutError, PyMongoError, HeadraceError) as error:
            log.warning("notification not stored", extra={"reason": type(error).__name__})
            raise later("unavailable", "The notification could not be stored.") from None
        self._waker.wake(job for verdict in verdicts for job in verdict.wake)
        return verdicts

    async def drain(self) -> None:
        """Wait until everything that was taken in is kept, and its jobs are sent."""
        await self._inbox.drain()
        await self._waker.drain()


def later(outcome: str, detail: str) -> Refusal:
    """Return the refusal of what may be sent again soon."""
    return Refusal(503, outcome, detail, {"Retry-After": str(_COME_AGAIN_SECONDS)})


_intakes: WeakKeyDictionary[asyncio.AbstractEventLoop, Intake] = WeakKeyDictionary()


def intake() -> Intake:
    """Return the intake of the running event loop: of the process, but for tests."""
    loop = asyncio.get_running_loop()
    if loop not in _intakes:
        _intakes[loop] = Intake()
    return _intakes[loop]
