"""The quota ledger: every call to a provider is charged here before it is made.

It lives in Redis, so that all workers share it, and goes by the clock of Redis.
Providers count over a sliding window, and so does it (window.lua): who was idle may
take a whole minute's quota at once, and no window at the provider, wherever it
begins, sees more than the limit, even if calls reach it a little late.
"""

from __future__ import annotations

import math
import time
from functools import cache
from importlib.resources import files

from redis.commands.core import Script

from pipeline import metrics
from pipeline.config import settings
from pipeline.errors import RateLimited
from pipeline.limits.profiles import COUNTED_SLOTS, LEVEL_NAMES, LevelName, Profile
from pipeline.stores import redis_client

_NAMESPACE = "headrace:quota:"
_MICROSECONDS = 1_000_000


def take(
    profile: Profile,
    user_id: str,
    method: str,
    count: int = 1,
    *,
    max_wait_seconds: float | None = None,
) -> None:
    """Take the units of `count` calls of `method`, waiting for them in this thread if need be.

    Takes from every level or from none.  Raises RateLimited, having taken
    nothing, if the wait would be longer than `max_wait_seconds` (default:
    QUOTA_INLINE_WAIT_SECONDS), and ValueError if so many could never be taken
    at once.  After the wait that the error names the units are there, unless
    somebody else has taken them meanwhile.
    """
    units = profile.units_of(method) * count
    _check_fits(profile, method, units)
    patience = (
        settings().quota_inline_wait_seconds if max_wait_seconds is None else max_wait_seconds
    )
    deadline = time.monotonic() + patience
    while empty := _charge(profile, user_id, units):
        wait_seconds, level = empty
        if time.monotonic() + wait_seconds > deadline:
            metrics.QUOTA_REFUSALS.labels(profile.name, level).inc()
            raise RateLimited(
                f"{profile.name}: our share of the {level} quota is used up",
                retry_after_seconds=wait_seconds,
                scope=level,
            )
        # Somebody else may be quicker, so this asks again: charging ahead of time would
        # drain the project's units while one user waits for its own.
        time.sleep(wait_seconds)
    metrics.QUOTA_UNITS.labels(profile.name).inc(units)


def learn(profile: Profile, user_id: str, level: str, retry_after_seconds: float) -> None:
    """Take nothing at `level` for a while, because the provider refused a call.

    A shorter pause never replaces a longer one.  Afterwards it goes on as the
    provider said it may, with what the window has left: slots keep counting.
    Raises ValueError for a level that is not one of LEVEL_NAMES.
    """
    if level not in LEVEL_NAMES:
        raise ValueError(f"quota level {level!r}: known are {', '.join(LEVEL_NAMES)}")
    key = _key(profile, level, user_id, "pause")
    pause_ms = max(1, math.ceil(retry_after_seconds * 1000))
    with redis_client().pipeline(transaction=True) as pipeline:
        pipeline.pexpire(key, pause_ms, gt=True)
        pipeline.set(key, 1, px=pause_ms, nx=True)
        pipeline.execute()


def _charge(profile: Profile, user_id: str, units: int) -> tuple[float, LevelName] | None:
    """Take `units` now, or return the seconds until they are there, and the emptiest level."""
    keys: list[str] = []
    args: list[float] = [units, COUNTED_SLOTS]
    for name in LEVEL_NAMES:
        keys += [_key(profile, name, user_id, part) for part in ("slots", "pause")]
        level = profile.level(name)
        if level:
            args += [level.slot_microseconds, level.allowed_units, level.units_at_once]
        else:
            args += [0, 0, 0]
    wait_microseconds, number = _script()(keys=keys, args=args, client=redis_client())
    if not wait_microseconds:
        return None
    return wait_microseconds / _MICROSECONDS, LEVEL_NAMES[number - 1]


def _check_fits(profile: Profile, method: str, units: int) -> None:
    for level in profile.levels:
        if units > level.units_at_once:
            raise ValueError(
                f"{units} units of {method} are more than the {level.units_at_once:.0f}"
                f" that {profile.name} lets the {level.name} take at once"
            )


def shared_keys(profile: Profile, level: LevelName) -> tuple[str, str]:
    """Return the keys of a level that users share: of its slots, and of its pause."""
    return _key(profile, level, "", "slots"), _key(profile, level, "", "pause")


def _key(profile: Profile, level: str, user_id: str, part: str) -> str:
    # One hash tag per profile: a script's keys must be on one node of a cluster.
    # The user comes last: it may hold colons.
    key = f"{_NAMESPACE}{{{profile.name}}}:{part}:{level}"
    return f"{key}:{user_id}" if level == "user" else key


@cache
def _script() -> Script:
    """Return the script; callers pass the client of their process."""
    return redis_client().register_script(source())


def source() -> str:
    """Return the Lua text of the ledger."""
    return window_source() + (files("pipeline.limits") / "ledger.lua").read_text()


def window_source() -> str:
    """Return the Lua text that defines `window`, for scripts that count over a sliding window."""
    return (files("pipeline.limits") / "window.lua").read_text()
