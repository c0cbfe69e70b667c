"""How much of each quota is in use, for whoever looks; nothing is taken.

Only what all users share: a project's minute and day.  What one user has used is
in keys by user, which nobody walks through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.limits.ledger import shared_keys
from pipeline.limits.profiles import COUNTED_SLOTS, PROFILES, LevelName, Profile
from pipeline.stores import redis_client

_SHARED: tuple[LevelName, ...] = ("project", "day")


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one level of a quota is in use.

    `allowed_units` is our share of the limit, None where none is known; then only a pause
    tells of it.  `paused_seconds` is how long the provider wants to be left alone.
    """

    profile: str
    level: LevelName
    used_units: float
    allowed_units: float | None
    window_seconds: float
    paused_seconds: float


def use(profiles: Sequence[Profile] = PROFILES) -> list[Use]:
    """Return the use of every level that users share, in one round trip.

    Levels without a limit are left out unless they are paused.  Raises redis.RedisError.
    """
    asked = [(profile, name) for profile in profiles for name in _SHARED]
    pipe: Any = redis_client().pipeline(transaction=False)
    pipe.time()
    for profile, name in asked:
        slots, pause = shared_keys(profile, name)
        pipe.hgetall(slots)
        pipe.pttl(pause)
    (seconds, microseconds), *answers = pipe.execute()
    now_microseconds = seconds * 1_000_000 + microseconds
    told = [
        _use(*asked[n], answers[2 * n], answers[2 * n + 1], now_microseconds)
        for n in range(len(asked))
    ]
    return [one for one in told if one.allowed_units is not None or one.paused_seconds]


def _use(
    profile: Profile, name: LevelName, slots: dict[bytes, bytes], pause_ms: int, now: int
) -> Use:
    paused_seconds = max(0, pause_ms) / 1000  # negative: there is none
    level = profile.level(name)
    if level is None:
        return Use(profile.name, name, 0, None, 0, paused_seconds)
    present = now // level.slot_microseconds
    # As window.lua counts them: who has asked for nothing since has not dropped old slots.
    used = sum(
        float(units) for slot, units in slots.items() if abs(int(slot) - present) < COUNTED_SLOTS
    )
    allowed = level.allowed_units
    return Use(profile.name, name, used, allowed, level.window_seconds, paused_seconds)
