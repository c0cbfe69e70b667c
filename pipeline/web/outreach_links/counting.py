"""Visits on their way into the store: many at once, and nobody waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from weakref import WeakKeyDictionary

from pymongo.errors import PyMongoError

from pipeline import metrics
from pipeline.errors import HeadraceError
from pipeline.outreach.visits import Visit, note
from pipeline.web.webhooks.batcher import Batcher, Overloaded

log = logging.getLogger(__name__)

#: Visits that are known to be counted already; older ones the store knows.
_MOST_REMEMBERED = 10_000
_LINKS = {"opened": "open", "clicked": "click"}


class Counting:
    """Counts visits, each once a minute however often somebody comes."""

    def __init__(self) -> None:
        self._store: Batcher[Visit, bool] = Batcher(note)
        self._recent: OrderedDict[str, None] = OrderedDict()

    async def count(self, visit: Visit) -> None:
        """Count a visit, or note that it could not be; never raises."""
        if visit.event_id in self._recent:
            return
        self._remember(visit.event_id)
        try:
            is_known = await self._store.submit(visit)
            outcome = "noted" if is_known else "unknown"
        except (Overloaded, PyMongoError, HeadraceError) as error:
            self._recent.pop(visit.event_id, None)
            log.warning("visit not counted", extra={"reason": type(error).__name__})
            outcome = "lost"
        metrics.OUTREACH_VISITS.labels(_LINKS[visit.type], outcome).inc()

    async def drain(self) -> None:
        """Wait until all visits are counted."""
        await self._store.drain()

    def _remember(self, event_id: str) -> None:
        self._recent[event_id] = None
        while len(self._recent) > _MOST_REMEMBERED:
            self._recent.popitem(last=False)


_countings: WeakKeyDictionary[asyncio.AbstractEventLoop, Counting] = WeakKeyDictionary()


def counting() -> Counting:
    """Return the counting of the running event loop: of the process, but for tests."""
    loop = asyncio.get_running_loop()
    if loop not in _countings:
        _countings[loop] = Counting()
    return _countings[loop]
