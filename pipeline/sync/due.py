"""When a user's source is due next: flat by construction, because the phase is a hash."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from pipeline.config import settings

#: Synced at this share of the freshness target, which leaves time to tick, to wait and to run.
INTERVAL_SHARE = 0.8
#: Jitter on top of the phase, as a share of the interval, so that no two ticks are quite alike.
JITTER_SHARE = 0.02
#: A state that keeps failing is tried again at least this often.
LONGEST_BACKOFF_SECONDS = 900.0
#: Misconfiguration concerns every user at once: look again slowly.
MISCONFIGURED_BACKOFF_SECONDS = 300.0


def interval_seconds(source: str) -> float:
    """Return how often `source` is synced."""
    return settings().freshness_target_seconds(source) * INTERVAL_SHARE


def next_due(user_id: str, source: str, after: datetime) -> datetime:
    """Return the first moment after `after` that has this user's phase in the interval."""
    interval = interval_seconds(source)
    offset = _phase(user_id, source) * interval
    elapsed = after.timestamp() - offset
    periods = int(elapsed // interval) + 1
    jitter = random.uniform(0, JITTER_SHARE * interval)
    return datetime.fromtimestamp(offset + periods * interval + jitter, UTC)


def backoff(failures: int) -> timedelta:
    """Return the pause after the nth failure in a row: 1, 2, 4 … seconds, up to 15 minutes."""
    seconds = min(2.0 ** min(failures - 1, 20), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=seconds)


def _phase(user_id: str, source: str) -> float:
    """Return where in its interval this user's source lies, from 0 up to 1."""
    digest = blake2b(f"{user_id}\x00{source}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
