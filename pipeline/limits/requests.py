"""How many requests somebody may make to us: counted in Redis, over the window of the ledger."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

from redis.commands.core import Script

from pipeline.limits.ledger import window_source
from pipeline.limits.profiles import WINDOW_SLOTS
from pipeline.stores import impatient_redis_client

_NAMESPACE = "headrace:requests:"
_MICROSECONDS = 1_000_000


def take(who: str, most: int, seconds: float) -> float:
    """Count a request of `who`, of which there may be `most` in any `seconds`.

    Returns the seconds after which there may be another if this one is too
    many, which then does not count; else 0.  Raises RedisError within seconds.
    """
    length_microseconds = math.ceil(seconds * _MICROSECONDS / WINDOW_SLOTS)
    # One slot more, for the present one has only begun.
    args = [length_microseconds, WINDOW_SLOTS + 1, most]
    wait: int = _script()(keys=[_NAMESPACE + who], args=args, client=impatient_redis_client())
    return wait / _MICROSECONDS


@cache
def _script() -> Script:
    """Return the script; callers pass the client of their process."""
    source = window_source() + (files("pipeline.limits") / "requests.lua").read_text()
    return impatient_redis_client().register_script(source)
