"""Budgets: how much of something there may be in any so many seconds, several at a time.

They are counted in Redis by its clock, as the quota ledger does it (window.lua), for all
workers together: no window of that length, wherever it begins, sees more than the limit,
even if what was taken takes effect up to a slot later (a thirtieth of the window).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from redis.commands.core import Script

from pipeline.limits.ledger import window_source
from pipeline.limits.profiles import COUNTED_SLOTS, WINDOW_SLOTS
from pipeline.stores import redis_client

# One hash tag: the keys of a script must be on one node of a cluster.
_NAMESPACE = "headrace:{budgets}:"
_MICROSECONDS = 1_000_000
#: A budget of nothing is looked at again after so long: somebody may have changed it.
NOTHING_WAIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `limit` in any `seconds`; `key` says of whom, `name` what it is called."""

    key: str
    limit: int
    seconds: float
    name: str

    @property
    def slot_microseconds(self) -> int:
        """Length of a slot: what is taken in one comes back at once."""
        return math.ceil(self.seconds * _MICROSECONDS / WINDOW_SLOTS)


class Refused(NamedTuple):
    """Which budget has nothing left, and after how many seconds it has."""

    budget: Budget
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Charge:
    """What was taken of budgets, each in a slot of its own, to be corrected once it is known."""

    budgets: tuple[Budget, ...]
    units: tuple[int, ...]
    slots: tuple[int, ...]

    def correct(self, units: Sequence[int]) -> None:
        """Have it be `units` that were taken.  Call it once at most; raises redis.RedisError.

        More than was taken counts too, be there room for it or not: it was used.
        """
        args: list[int] = []
        for slot, taken, known in zip(self.slots, self.units, units, strict=True):
            args += [slot, known - taken]
        keys = [_key(budget) for budget in self.budgets]
        _correction()(keys=keys, args=args, client=redis_client())


class Room(NamedTuple):
    """How much may be taken now, and if it is nothing, after how many seconds there is some."""

    units: int
    wait_seconds: float


def take(budgets: Sequence[Budget], units: int = 1) -> Refused | None:
    """Take `units` of every budget; or of none, and return which refuses for longest.

    Raises ValueError if so many could never be taken at once, redis.RedisError.
    """
    taken = charge(budgets, [units] * len(budgets))
    return taken if isinstance(taken, Refused) else None


def charge(budgets: Sequence[Budget], units: Sequence[int]) -> Charge | Refused:
    """Take so many units of each budget; or of none, and return which refuses for longest.

    Raises ValueError if so many could never be taken at once, redis.RedisError.
    """
    for budget, wanted in zip(budgets, units, strict=True):
        if budget.limit <= 0:
            return Refused(budget, NOTHING_WAIT_SECONDS)
        if wanted > budget.limit:
            raise ValueError(f"{wanted} are more than the {budget.limit} of {budget.name}")
    wait_microseconds, number, *rest = _run(budgets, units)
    if number:
        return Refused(budgets[number - 1], wait_microseconds / _MICROSECONDS)
    return Charge(tuple(budgets), tuple(units), tuple(rest[len(budgets) :]))


def room(budgets: Sequence[Budget]) -> Room:
    """Return how much of all budgets could be taken now; takes nothing.  Raises RedisError."""
    if any(budget.limit <= 0 for budget in budgets):
        return Room(0, NOTHING_WAIT_SECONDS)
    wait_microseconds, _, *rest = _run(budgets, [0] * len(budgets))
    in_use = rest[: len(budgets)]
    left = [budget.limit - units for budget, units in zip(budgets, in_use, strict=True)]
    return Room(max(0, min(left)), wait_microseconds / _MICROSECONDS)


def used(budgets: Sequence[Budget]) -> list[int]:
    """Return how much of each budget is in use; takes nothing.  Raises redis.RedisError."""
    return _run(budgets, [0] * len(budgets))[2 : 2 + len(budgets)] if budgets else []


def returns(budget: Budget) -> tuple[float, list[float]]:
    """Return the time of Redis, and when each unit of a budget may be taken next, in order.

    Seconds since 1970, that of Redis for what may be taken now.  Raises RedisError.
    """
    now_microseconds, slots = _read(budget)
    now, present = now_microseconds / _MICROSECONDS, now_microseconds // budget.slot_microseconds
    taken = [
        returned_at(budget, int(slot))
        for slot, units in slots.items()
        if abs(int(slot) - present) < COUNTED_SLOTS
        for _ in range(int(units))
    ]
    free = max(0, budget.limit - len(taken))
    return now, ([now] * free + sorted(taken))[-budget.limit :] if budget.limit > 0 else []


def slot_at(budget: Budget, at: float) -> int:
    """Return the number of the slot that a time lies in, in seconds since 1970."""
    return int(at * _MICROSECONDS) // budget.slot_microseconds


def returned_at(budget: Budget, slot: int) -> float:
    """Return when what is taken in a slot comes back, in seconds since 1970."""
    return (slot + COUNTED_SLOTS) * budget.slot_microseconds / _MICROSECONDS


def _read(budget: Budget) -> tuple[int, dict[bytes, bytes]]:
    """Return the time of Redis in microseconds, and the units of a budget by slot."""
    pipe: Any = redis_client().pipeline(transaction=False)
    pipe.time()
    pipe.hgetall(_key(budget))
    (seconds, microseconds), slots = pipe.execute()
    return seconds * _MICROSECONDS + microseconds, slots


def _run(budgets: Sequence[Budget], units: Sequence[int]) -> list[int]:
    args = [COUNTED_SLOTS]
    for budget, wanted in zip(budgets, units, strict=True):
        args += [wanted, budget.slot_microseconds, budget.limit]
    answer: list[int] = _script()(
        keys=[_key(budget) for budget in budgets], args=args, client=redis_client()
    )
    return answer


def _key(budget: Budget) -> str:
    return f"{_NAMESPACE}{budget.key}:{budget.seconds:g}"


@cache
def _script() -> Script:
    """Return the script; callers pass the client of their process."""
    return redis_client().register_script(source())


@cache
def _correction() -> Script:
    """Return the script; callers pass the client of their process."""
    text = (files("pipeline.limits") / "correct.lua").read_text()
    return redis_client().register_script(text)


def source() -> str:
    """Return the Lua text of budgets."""
    return window_source() + (files("pipeline.limits") / "budgets.lua").read_text()
