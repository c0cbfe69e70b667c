"""How often a user's source is looked at, and why: as often as its data changes, within bounds.

The rate of change is an estimate that forgets.  A sync that found a change adds
1/memory to it, and time takes away as exp(-t/memory): its mean is the true rate
(an exponentially decaying window, https://en.wikipedia.org/wiki/Shot_noise).
The last two gaps between changes are an estimate of their own; where that is
higher, it counts, so that a burst is followed within a few looks.  Of a new state
that rate is presumed which gives the base interval; the longer it has been
watched, the less that counts.

The interval is half of the mean time between changes, in steps of two from the
base: a step keeps its moments when it doubles (due.py), and what varies a
little changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal, Self

from pipeline import words
from pipeline.config import settings
from pipeline.sources import source_named
from pipeline.stores import Row

#: Looked at once in this share of the freshness target: the rest is to tick, to wait and to run.
INTERVAL_SHARE = 0.8
#: Looks per change: on average, a change is then found in a quarter of the mean time between two.
_LOOKS_PER_CHANGE = 2
#: At most so many times as often as the target asks: who raises it wants to save quota.
_MOST_OFTEN = 4
#: How long the estimate remembers, at least.
_MEMORY_SECONDS = 6 * 3600.0
#: … and in base intervals: what is looked at once a day must remember for longer.
_MEMORY_INTERVALS = 30
#: A change that was found late has been there, among others, for nobody knows how long.
_LONGEST_GAP_INTERVALS = 2
#: At the rate 1, two gaps in a row are as often shorter than this as they are longer.
_MEDIAN_OF_TWO_GAPS = 1.678
#: What was found in two looks of the same second was there at once.
_SHORTEST_GAP_SECONDS = 1.0

Why = Literal["pushed", "new", "busy", "quiet", "follows"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which intervals a source may be looked at; `base` is that of a new state."""

    base_seconds: float
    shortest_seconds: float
    longest_seconds: float

    @classmethod
    def of(cls, source: str) -> Self:
        """Return what the settings say of `source`."""
        base = base_seconds(source)
        floor, ceiling = settings().cadence_floor_seconds, settings().cadence_ceiling_seconds
        shortest = min(base, max(floor, base / _MOST_OFTEN))
        longest = base if source_named(source).polled_on_target else max(ceiling, base)
        return cls(base, shortest, longest)

    @property
    def memory_seconds(self) -> float:
        """How long the estimate remembers."""
        return max(_MEMORY_SECONDS, _MEMORY_INTERVALS * self.base_seconds)

    def nearest_step(self, seconds: float) -> float:
        """Return the step that is nearest to an interval, or the bound that it exceeds."""
        if not self.shortest_seconds < seconds < self.longest_seconds:
            return self._bounded(seconds)
        doublings = round(math.log2(seconds / self.base_seconds))
        return self._bounded(self.base_seconds * 2.0**doublings)

    def _bounded(self, seconds: float) -> float:
        return min(max(seconds, self.shortest_seconds), self.longest_seconds)


def base_seconds(source: str) -> float:
    """Return how often `source` is looked at while nothing is known of a user."""
    return settings().freshness_target_seconds(source) * INTERVAL_SHARE


def pushed_seconds(source: str) -> float:
    """Return how often `source` is looked at while its provider pushes what changes."""
    base = base_seconds(source)
    if source_named(source).polled_on_target:
        return base
    # No more often than a state of which nothing is known.
    return max(settings().push_poll_seconds, base)


def promise_seconds(source: str, interval_seconds: float) -> float:
    """Return how old a copy may get that is looked at once in `interval_seconds`."""
    target = settings().freshness_target_seconds(source)
    return max(target, interval_seconds / INTERVAL_SHARE)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often one state is looked at, and what is known of its changes.

    `polled_seconds` is the interval while nothing is pushed.  `changes_per_hour`
    is what has been seen, without what is presumed; `watched_seconds` is for how
    long.  `rated_at` is the sync that it is from, `changed_at` the last that
    found a change, `changed_before_at` the one before that; `seq` is the number
    of the last change that has been counted.
    """

    interval_seconds: float
    why: Why
    polled_seconds: float
    changes_per_hour: float = 0.0
    watched_seconds: float = 0.0
    rated_at: datetime | None = None
    changed_at: datetime | None = None
    changed_before_at: datetime | None = None
    seq: int = 0

    @classmethod
    def of(cls, state: Row) -> Self:
        """Return the cadence that a state has stored, or that of a new one."""
        base = base_seconds(state["source"])
        new: Row = {"interval_seconds": base, "why": "new", "polled_seconds": base}
        stored: Row = state.get("cadence") or {}
        return cls(**new | {name: stored[name] for name in cls.__slots__ if name in stored})

    def document(self) -> Row:
        """Return it as it is stored."""
        return asdict(self)

    def unpushed(self, source: str) -> Self:
        """Return what it is while the provider pushes nothing."""
        bounds = Bounds.of(source)
        # For so long, what is presumed counts for more than half of what it did.
        is_new = self.watched_seconds < bounds.memory_seconds * math.log(2)
        why = _why(self.polled_seconds, bounds, is_new=is_new)
        return replace(self, interval_seconds=self.polled_seconds, why=why)

    def __str__(self) -> str:
        """Say how often and why: "changes about 3 times a day, so it is looked at every 1 h"."""
        every = words.duration(self.interval_seconds)
        rate = _rate_in_words(self.changes_per_hour * 24)
        match self.why:
            case "pushed":
                return f"its changes are pushed; it is looked at every {every} all the same"
            case "new":
                return f"not watched for long yet, so it is looked at every {every}"
            case "busy":
                return f"{rate}, so it is looked at every {every}, as often as is allowed"
            case "quiet":
                return f"{rate}, so it is looked at every {every}, as rarely as is allowed"
            case _:
                return f"{rate}, so it is looked at every {every}"


def after_sync(state: Row, at: datetime) -> Cadence:
    """Return the cadence of `state` after a sync that began at `at` and has succeeded.

    Whatever has landed since the cadence was rated last is one change; what the
    first listing brought is none.
    """
    source, seq = state["source"], int(state["seq"])
    cadence = Cadence.of(state)
    if cadence.rated_at is None:
        cadence = replace(cadence, rated_at=at, seq=seq)
    else:
        cadence = _rated(cadence, Bounds.of(source), at, seq)
    return _with_push(cadence.unpushed(source), state, at)


def _rated(before: Cadence, bounds: Bounds, at: datetime, seq: int) -> Cadence:
    """Return what one more look says of the rate, and the interval that follows from it."""
    memory, changed = bounds.memory_seconds, seq > before.seq
    passed = max(0.0, (at - (before.rated_at or at)).total_seconds())
    if changed:
        # After an outage one change stands for many: the time says nothing against them.
        passed = min(passed, _LONGEST_GAP_INTERVALS * before.interval_seconds)
    watched = before.watched_seconds + passed
    presumed = _rate_for(bounds.base_seconds) * math.exp(-watched / memory)
    seen = before.changes_per_hour * math.exp(-passed / memory)
    if changed:
        seen += 3600 / memory
        if before.changed_before_at is not None:
            gaps = max(_SHORTEST_GAP_SECONDS, (at - before.changed_before_at).total_seconds())
            seen = max(seen, _MEDIAN_OF_TWO_GAPS * 3600 / gaps - presumed)
        # More than the shortest interval can follow would only take longer to forget.
        seen = min(seen, _rate_for(bounds.shortest_seconds))
    return replace(
        before,
        polled_seconds=bounds.nearest_step(_interval_for(seen + presumed)),
        changes_per_hour=seen,
        watched_seconds=watched,
        rated_at=at,
        changed_at=at if changed else before.changed_at,
        changed_before_at=before.changed_at if changed else before.changed_before_at,
        seq=seq,
    )


def _with_push(cadence: Cadence, state: Row, at: datetime) -> Cadence:
    """Return it as a safety net if the provider pushes what changes."""
    until = state.get("live_push_until")
    if until is None or until <= at:
        return cadence
    return replace(cadence, interval_seconds=pushed_seconds(state["source"]), why="pushed")


def _why(interval: float, bounds: Bounds, *, is_new: bool) -> Why:
    if interval == bounds.shortest_seconds < bounds.base_seconds:
        return "busy"
    if interval == bounds.longest_seconds > bounds.base_seconds:
        return "quiet"
    return "new" if is_new else "follows"


def _rate_for(interval_seconds: float) -> float:
    """Return the changes per hour that are looked at once in `interval_seconds`."""
    return 3600 / (_LOOKS_PER_CHANGE * interval_seconds)


def _interval_for(changes_per_hour: float) -> float:
    if changes_per_hour <= 0:  # forgotten so thoroughly that no float holds it
        return math.inf
    return 3600 / (_LOOKS_PER_CHANGE * changes_per_hour)


def _rate_in_words(changes_per_day: float) -> str:
    """Return how often something changes, in the largest unit that gives a whole number."""
    if changes_per_day >= 48:
        return f"changes about {_times(changes_per_day / 24)} an hour"
    if changes_per_day >= 0.75:
        return f"changes about {_times(changes_per_day)} a day"
    if changes_per_day >= 0.75 / 7:
        return f"changes about {_times(changes_per_day * 7)} a week"
    return "hardly ever changes"


def _times(count: float) -> str:
    match round(count):
        case 1:
            return "once"
        case 2:
            return "twice"
        case several:
            return f"{several} times"
