"""A clock of the test's own in place of that of Redis, for what takes minutes or days."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis.commands.core import Script

from pipeline.jobs import layout, scripts
from pipeline.queues import QUEUES
from pipeline.stores import redis_client

#: When it begins, in ms since 1970: a slot of a minute and of a day begins, too.
EPOCH_MS = 20_833 * 86_400 * 1000
_KEY = "test:clock"


class Clock:
    """The time that the scripts see, in ms since 1970; it stands still unless told."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.restart()

    def restart(self) -> None:
        """Begin again."""
        self.set(EPOCH_MS)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.set(self.now_ms + round(seconds * 1000))

    def moment(self, seconds: float) -> datetime:
        """Return the moment in so many seconds."""
        return datetime.fromtimestamp(self.now_ms / 1000 + seconds, UTC)

    def set(self, now_ms: int) -> None:
        """Make it `now_ms`."""
        self.now_ms = now_ms
        with redis_client().pipeline() as pipe:
            pipe.delete(_KEY)
            pipe.rpush(_KEY, now_ms // 1000, now_ms % 1000 * 1000)
            pipe.execute()
        self._expire()

    def _expire(self) -> None:
        """Redis expires keys by its own clock."""
        for queue in QUEUES:
            until = redis_client().get(layout.of_queue(queue, "until"))
            if isinstance(until, bytes) and float(until) <= self.now_ms:
                redis_client().delete(layout.of_queue(queue, "until"))


def use_clock(patch: pytest.MonkeyPatch) -> Clock:
    """Have all scripts ask a clock of the test's own; Redis must have been emptied before."""
    real, asks, registered = scripts._script, "call('TIME')", dict[str, Script]()

    def with_clock(name: str) -> Script:
        if name not in registered:
            text = real(name).script
            assert text.count(asks) == 1
            told = text.replace(asks, f"call('LRANGE', '{_KEY}', 0, 1)")
            registered[name] = redis_client().register_script(told)
        return registered[name]

    patch.setattr(scripts, "_script", with_clock)
    return Clock()
