"""How often somebody may try to sign in.

An attempt counts as failed from its beginning, so that many at once get no more
than one after the other; who succeeds gets it back.  After a few failures each
further one closes the name, or the address, for twice as long as the last one.
A sliding window (limits/window.lua) knows neither growing waits nor giving back.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import IPv6Address, ip_address

from redis.commands.core import Script
from redis.exceptions import RedisError

from pipeline.errors import RateLimited
from pipeline.stores import impatient_redis_client
from pipeline.web.access import signing
from pipeline.web.access.accounts import normal_name
from pipeline.web.stores import prober, told

#: Failures before there is a wait: many people may share an address, nobody a name.
FREE_PER_NAME, FREE_PER_ADDRESS = 5, 20
FIRST_WAIT_MS, LONGEST_WAIT_MS = 2_000, 900_000
#: Failures are forgotten when there was none for so long.
MEMORY_MS = 3_600_000
_MOST_KEYS = 20_000
_IPV6_HOST_BITS = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """Who is counted, by a key that says nothing to others, and what is free."""

    key: str
    free: int
    #: Whether a success forgets all failures: those of a name, which has one owner.
    forgotten: bool


def limits_of(name: str, address: str) -> list[Limit]:
    """Return the limits that an attempt counts against."""
    return [
        Limit(_key("name", normal_name(name)), FREE_PER_NAME, forgotten=True),
        Limit(_key("address", network_of(address)), FREE_PER_ADDRESS, forgotten=False),
    ]


def take(limits: list[Limit]) -> None:
    """Count an attempt, or raise RateLimited.  While Redis is down this process counts alone."""
    wait_ms = _in_redis("take", limits)
    if wait_ms is None:
        wait_ms = _alone.take(limits)
    if wait_ms > 0:
        raise RateLimited(
            "too many attempts to sign in; wait a little",
            retry_after_seconds=math.ceil(wait_ms / 1000),
            scope="sign-in",
        )


def forgive(limits: list[Limit]) -> None:
    """Give back an attempt that succeeded."""
    _in_redis("forgive", limits)
    _alone.forgive(limits)


def network_of(address: str) -> str:
    """Return what is counted as one address: of IPv6 the network, in which one host has many."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))


class InProcess:
    """The same as attempts.lua, in the memory of one process."""

    def __init__(self, clock_ms: Callable[[], float] = lambda: time.monotonic() * 1000) -> None:
        self._clock_ms = clock_ms
        self._states: OrderedDict[str, tuple[int, float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, limits: list[Limit]) -> float:
        """Count an attempt and return 0, or return the milliseconds to wait."""
        now = self._clock_ms()
        with self._lock:
            wait = max(self._state(limit, now)[1] - now for limit in limits)
            if wait > 0:
                return wait
            for limit in limits:
                self._fail(limit, now)
        return 0

    def forgive(self, limits: list[Limit]) -> None:
        """Give one back."""
        with self._lock:
            for limit in limits:
                failures, _, forgotten_at = self._state(limit, self._clock_ms())
                if limit.forgotten or failures <= 1:
                    self._states.pop(limit.key, None)
                else:
                    self._states[limit.key] = (failures - 1, 0, forgotten_at)

    def _fail(self, limit: Limit, now: float) -> None:
        failures = self._state(limit, now)[0] + 1
        beyond = failures - limit.free
        wait = min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** min(beyond, 40)) if beyond >= 0 else 0
        self._states[limit.key] = (failures, now + wait, now + MEMORY_MS)
        self._states.move_to_end(limit.key)
        while len(self._states) > _MOST_KEYS:
            self._states.popitem(last=False)

    def _state(self, limit: Limit, now: float) -> tuple[int, float, float]:
        """Return failures, until when it is closed, and when that is forgotten."""
        state = self._states.get(limit.key, (0, 0, 0))
        return state if state[2] > now else (0, 0, 0)


_alone = InProcess()


def _in_redis(what: str, limits: list[Limit]) -> float | None:
    """Return what the script answers, None if Redis does not."""
    if prober().known_problem("redis"):
        return None
    keys = [limit.key for limit in limits]
    each = [int(limit.forgotten) if what == "forgive" else limit.free for limit in limits]
    args: list[str | int] = [what, FIRST_WAIT_MS, LONGEST_WAIT_MS, MEMORY_MS, *each]
    try:
        return float(_script()(keys=keys, args=args, client=impatient_redis_client()))
    except RedisError as error:
        prober().note("redis", told("redis", error))
        return None


@cache
def _script() -> Script:
    text = (files("pipeline.web.access") / "attempts.lua").read_text()
    return impatient_redis_client().register_script(text)


def _key(kind: str, value: str) -> str:
    # Signed, since an address or a mistyped name must not be read from Redis.
    return f"headrace:{{sign-in}}:{kind}:{signing.signature('sign-in-attempts', value)[:32]}"
