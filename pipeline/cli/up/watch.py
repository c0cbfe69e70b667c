"""A look at everything that runs, taken every second or so in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from models import SyncState
from pipeline.dead_letters import open_by_queue
from pipeline.errors import HeadraceError
from pipeline.freshness import SourceFreshness, by_source
from pipeline.jobs.controls import Pause, pauses
from pipeline.jobs.names import queues_with_jobs
from pipeline.jobs.reading import Depth
from pipeline.jobs.reading import depths as depths_of
from pipeline.stores import collection

_INTERVAL_SECONDS = 1.0
#: Looking takes at most this share of the time: the aggregations read every state.
_MOST_OF_THE_TIME = 0.2
_RATE_WINDOW_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment.  `problems` has the stores that did not answer, and how."""

    at: datetime
    sources: list[SourceFreshness] = field(default_factory=list)
    #: Changes landed since ever: published sequence numbers.
    landed: int = 0
    landed_per_second: float = 0.0
    #: Sources of users that have not been synced since `up` started.
    behind_start: int = 0
    depths: dict[str, Depth] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    pauses: list[Pause] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def users(self) -> int:
        """How many users the source with the most has."""
        return max((source.users for source in self.sources), default=0)

    def total(self, name: str) -> int:
        """Return the sum of a count over the sources."""
        return sum(getattr(source, name) for source in self.sources)

    def in_status(self, *statuses: str) -> int:
        """Return how many (user, source) have one of `statuses`."""
        return sum(source.statuses.get(name, 0) for source in self.sources for name in statuses)

    @property
    def search_behind(self) -> int:
        """How many changes search has not seen."""
        return sum(source.behind.get("search", 0) for source in self.sources)

    @property
    def all_fresh(self) -> bool:
        """Whether every source of every user is fresh, and the graph and search have all of it."""
        known = not self.problems.get("mongodb") and self.users > 0
        return (
            known
            and self.behind_start == 0
            and self.total("fresh") == self.total("users")
            and self.total("lag") == self.search_behind == 0
        )


class Watch:
    """Keeps the newest snapshot."""

    def __init__(self, started_at: datetime) -> None:
        self._started_at = started_at
        self._newest = Snapshot(started_at)
        self._landed: deque[tuple[float, int]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more.  Does not wait for a look that a store holds up."""
        self._stop.set()

    @property
    def newest(self) -> Snapshot:
        """The newest snapshot."""
        return self._newest

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self._newest = self._look()
            took_seconds = time.monotonic() - began
            self._stop.wait(max(_INTERVAL_SECONDS, took_seconds / _MOST_OF_THE_TIME))

    def _look(self) -> Snapshot:
        now = datetime.now(UTC)
        problems: dict[str, str] = {}
        sources: list[SourceFreshness] = []
        depths: dict[str, Depth] = {}
        dead_letters: dict[str, int] = {}
        paused: list[Pause] = []
        landed = behind = 0
        try:
            sources = by_source(now)
            landed = _landed()
            dead_letters = open_by_queue()
            behind = collection(SyncState).count_documents(
                {"fresh_as_of": {"$not": {"$gte": self._started_at}}}
            )
        except (PyMongoError, HeadraceError) as error:
            problems["mongodb"] = type(error).__name__
        try:
            depths = depths_of(queue.name for queue in queues_with_jobs())
            paused = pauses()
        except RedisError as error:
            problems["redis"] = type(error).__name__
        rate = 0.0 if "mongodb" in problems else self._rate(landed)
        return Snapshot(
            at=now,
            sources=sources,
            landed=landed,
            landed_per_second=rate,
            behind_start=behind,
            depths=depths,
            dead_letters=dead_letters,
            pauses=paused,
            problems=problems,
        )

    def _rate(self, landed: int) -> float:
        now = time.monotonic()
        self._landed.append((now, landed))
        while now - self._landed[0][0] > _RATE_WINDOW_SECONDS:
            self._landed.popleft()
        since, before = self._landed[0]
        return (landed - before) / (now - since) if now > since else 0.0


def _landed() -> int:
    """Return how many changes have landed, of all users."""
    rows = collection(SyncState).aggregate([{"$group": {"_id": None, "seq": {"$sum": "$seq"}}}])
    return next((int(row["seq"]) for row in rows), 0)
