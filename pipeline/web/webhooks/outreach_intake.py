"""From the endpoints of outreach to stored deliveries, and from there to jobs."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakKeyDictionary

from pymongo.errors import PyMongoError

from pipeline.errors import HeadraceError
from pipeline.outreach.events.deliveries import Incoming, keep
from pipeline.web.webhooks.batcher import Batcher, Overloaded
from pipeline.web.webhooks.intake import Waker, later

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 5.0
#: Each may be megabytes large.
_MOST_WAITING = 256


class OutreachIntake:
    """Takes in deliveries: kept before they are answered, and worked through by jobs."""

    def __init__(self) -> None:
        self._store: Batcher[Incoming, bool] = Batcher(keep, most_waiting=_MOST_WAITING)
        self._waker = Waker("process_delivery")

    async def take(self, request: Incoming) -> str:
        """Return the outcome that it is counted as.  Raises Refusal if it is not kept."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                is_new = await self._store.submit(request)
        except Overloaded:
            raise later("overloaded", "Too many deliveries wait to be stored.") from None
        except (TimeoutError, PyMongoError, HeadraceError) as error:
            log.warning("delivery not stored", extra={"reason": type(error).__name__})
            raise later("unavailable", "The delivery could not be stored.") from None
        if is_new:
            self._waker.wake([(request.id, "")])
        return "accepted" if is_new else "duplicate"

    async def drain(self) -> None:
        """Wait until everything that was taken in is kept, and its jobs are sent."""
        await self._store.drain()
        await self._waker.drain()


_intakes: WeakKeyDictionary[asyncio.AbstractEventLoop, OutreachIntake] = WeakKeyDictionary()


def outreach_intake() -> OutreachIntake:
    """Return the intake of the running event loop: of the process, but for tests."""
    loop = asyncio.get_running_loop()
    if loop not in _intakes:
        _intakes[loop] = OutreachIntake()
    return _intakes[loop]
