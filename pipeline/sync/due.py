"""When a user's source is due next: flat by construction, because the phase is a hash."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

#: Jitter on top of the phase, as a share of the interval, so that no two ticks are quite alike.
JITTER_SHARE = 0.02
#: A state that keeps failing is tried again at least this often.
LONGEST_BACKOFF_SECONDS = 900.0
#: Misconfiguration concerns every user at once: look again slowly.
MISCONFIGURED_BACKOFF_SECONDS = 300.0


def next_due(user_id: str, source: str, after: datetime, interval_seconds: float) -> datetime:
    """Return the first moment after `after` that has this user's phase in the interval.

    Moments lie a whole number of intervals from one that is the user's own, so
    those of an interval are also those of its half, its quarter …: a change of
    the interval by such a step brings no look too many, and none too late.
    """
    origin = _origin_seconds(user_id, source)
    periods = (after.timestamp() - origin) // interval_seconds + 1
    jitter = random.uniform(0, JITTER_SHARE * interval_seconds)
    return datetime.fromtimestamp(origin + periods * interval_seconds + jitter, UTC)


def backoff(failures: int) -> timedelta:
    """Return the pause after the nth failure in a row: 1, 2, 4 … seconds, up to 15 minutes."""
    seconds = min(2.0 ** min(failures - 1, 20), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=seconds)


def _origin_seconds(user_id: str, source: str) -> float:
    """Return a moment of this user's own, spread over 136 years: even over any interval."""
    digest = blake2b(f"{user_id}\x00{source}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**32
