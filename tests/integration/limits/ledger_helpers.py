"""Quotas of one test each, what the ledger says to them, and what a provider would see."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest

from pipeline.errors import RateLimited
from pipeline.limits import ledger
from pipeline.limits.profiles import Level, Profile

_names = itertools.count()


def profile(*levels: Level, **units: int) -> Profile:
    """Return a profile that no other test uses; each unit in `units` names a method's cost."""
    name = f"test-{next(_names)}"
    return Profile(name, "1", levels, "here", units or {"one": 1}, other_units=None)


def taken(quota: Profile, user: str = "ada", method: str = "one", count: int = 1) -> bool:
    """Return whether the units are there at once."""
    try:
        ledger.take(quota, user, method, count, max_wait_seconds=0)
    except RateLimited:
        return False
    return True


def refused(quota: Profile, user: str = "ada", method: str = "one", count: int = 1) -> RateLimited:
    """Return the refusal."""
    with pytest.raises(RateLimited) as caught:
        ledger.take(quota, user, method, count, max_wait_seconds=0)
    return caught.value


#: Units that reached a provider, and the earliest and the latest moment at which they did.
Arrival = tuple[float, float, int]


def windows(arrivals: Iterable[Arrival], length: float) -> Iterator[int]:
    """Yield the units within each window that surely is no longer than `length`."""
    inside: list[Arrival] = []
    for arrival in sorted(arrivals):
        inside.append(arrival)
        while arrival[1] - inside[0][0] > length:
            inside.pop(0)
        yield sum(units for *_, units in inside)
