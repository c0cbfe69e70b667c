"""Pieces of a page that survive a dead store, and how the stores are.

A page asks for each piece by `part`.  While a store is known to be down its
pieces are not asked for again: a page must not wait for a timeout on every look.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Generic, Literal, TypeVar

import pymongo
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Transient
from pipeline.probes import PROBES
from pipeline.projections import search
from pipeline.stores import impatience

T = TypeVar("T")
Store = Literal["mongodb", "redis", "graph", "search"]

#: What a person is told that a store is.
NAMES: dict[str, str] = {
    "mongodb": "MongoDB",
    "redis": "Redis",
    "graph": "The graph",
    "search": "The search store",
}
#: What the errors of a store are.
FAILURES = (RedisError, PyMongoError, Transient, Misconfigured)

#: How old an answer of a probe may be before the store is asked again.
PROBE_SECONDS = 5.0
#: How long a piece of a page may wait for MongoDB.
PATIENCE_SECONDS = 5.0
#: Pieces whose last good value is kept for the time that a store is down.
_MOST_KEPT = 200


def used() -> tuple[Store, ...]:
    """Return the stores that there are: one of its own for search only with SEARCH_URL."""
    own = search_store()
    return ("mongodb", "redis", "graph", *(() if own == "mongodb" else (own,)))


def search_store() -> Store:
    """Return in which store searches look."""
    return "search" if settings().search_url.get_secret_value() else "mongodb"


@dataclass(frozen=True, slots=True)
class Health:
    """How one store answered the last probe; `since` is when it began to be so."""

    store: Store
    ok: bool
    latency_ms: float
    problem: str
    since: datetime

    @property
    def name(self) -> str:
        """The store's name for people."""
        return NAMES[self.store]


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A piece of a page.

    `value` is None if it could not be read and none is remembered; with an
    `error`, it is what was read at `as_of`.
    """

    store: Store
    value: T | None
    error: str
    as_of: datetime

    @property
    def ok(self) -> bool:
        """Whether it could be read just now."""
        return not self.error


class Prober:
    """Asks the stores how they are, at most every PROBE_SECONDS, whoever wants to know.

    Only the first who wants to know waits: later ones get the last answer, and a
    thread asks anew.
    """

    def __init__(self) -> None:
        self._health: dict[Store, Health] = {}
        self._asked_at = 0.0
        self._asking = threading.Lock()

    def health(self) -> dict[Store, Health]:
        """Return how each store is."""
        if not self._health:
            with self._asking:
                if not self._health:
                    self._ask()
        elif time.monotonic() - self._asked_at > PROBE_SECONDS:
            self._asked_at = time.monotonic()
            threading.Thread(target=self._ask_anew, name="prober", daemon=True).start()
        return dict(self._health)

    def note(self, store: Store, problem: str) -> None:
        """Remember a problem that somebody has run into, until the next probe."""
        self._health = {**self._health, store: self._judged(store, problem, 0.0)}

    def known_problem(self, store: Store) -> str:
        """Return what is wrong with a store, empty if nothing is known to be."""
        return self.health()[store].problem

    def _ask_anew(self) -> None:
        if self._asking.acquire(blocking=False):
            try:
                self._ask()
            finally:
                self._asking.release()

    def _ask(self) -> None:
        stores = used()
        with ThreadPoolExecutor(max_workers=len(stores)) as pool:
            asked = [(store, pool.submit(_probed, store)) for store in stores]
            self._health = {store: self._judged(store, *a.result()) for store, a in asked}
        self._asked_at = time.monotonic()

    def _judged(self, store: Store, problem: str, latency_ms: float) -> Health:
        before = self._health.get(store)
        same = before is not None and before.ok == (not problem)
        since = before.since if before and same else datetime.now(UTC)
        return Health(store, not problem, latency_ms, problem, since)


def _probed(store: Store) -> tuple[str, float]:
    started = time.monotonic()
    try:
        problem = _asked(store)
    except HeadraceError as error:
        problem = str(error)
    return problem, (time.monotonic() - started) * 1000


def _asked(store: Store) -> str:
    """Return what is wrong with a store, or raise it; empty if nothing is."""
    if store == "search":
        search.ping()
        return ""
    return PROBES[store]() or ""


@cache
def prober() -> Prober:
    """Return the prober of this process."""
    return Prober()


_kept: OrderedDict[str, tuple[object, datetime]] = OrderedDict()
_kept_lock = threading.Lock()


def part(store: Store, read: Callable[[], T], *, keep: str = "") -> Part[T]:
    """Return what `read` reads from `store`, or what is wrong.

    With `keep`, the name of the piece, the last good value is shown while the
    store is down, and said to be old.  Errors other than the store's pass through.
    """
    problem = prober().known_problem(store)
    if not problem:
        try:
            with pymongo.timeout(PATIENCE_SECONDS), impatience():
                value = read()
        except FAILURES as error:
            problem = told(store, error)
            prober().note(store, problem)
        else:
            now = datetime.now(UTC)
            _remember(keep, value, now)
            return Part(store, value, "", now)
    old, as_of = _kept.get(keep, (None, datetime.now(UTC)))
    return Part(store, old, problem, as_of)  # type: ignore[arg-type]  # kept under its name only


def told(store: Store, error: Exception) -> str:
    """Return what a failure of a store means, without foreign text, which may hold anything."""
    if isinstance(error, HeadraceError):
        return str(error)
    return f"{NAMES[store]} does not answer ({type(error).__name__})"


def _remember(keep: str, value: object, now: datetime) -> None:
    if not keep:
        return
    with _kept_lock:
        _kept[keep] = (value, now)
        _kept.move_to_end(keep)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
