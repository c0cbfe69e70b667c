"""A clock of the tests' own for scripts that go by that of Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

from pipeline.stores import redis_client

#: When the tests begin, in microseconds since 1970: a slot of a minute and of a day begins, too.
EPOCH = 20_833 * 86_400 * 1_000_000


class Clock:
    """The time of the script, in microseconds since 1970."""

    def __init__(self) -> None:
        self.now = 0
        self.restart()

    @property
    def seconds(self) -> float:
        return self.now / 1e6

    def restart(self) -> None:
        self._set(EPOCH)

    def advance(self, seconds: float) -> None:
        self._set(self.now + round(seconds * 1e6))

    def _set(self, now: int) -> None:
        self.now = now
        pipeline = redis_client().pipeline()
        pipeline.delete("test:clock")
        pipeline.rpush("test:clock", now // 1_000_000, now % 1_000_000)
        pipeline.execute()


@contextmanager
def clock_of(module: ModuleType) -> Iterator[Clock]:
    """The clock of a module's script, for the block."""
    script = module.source()
    asks = "redis.call('TIME')"
    assert script.count(asks) == 1
    script = script.replace(asks, "redis.call('LRANGE', 'test:clock', 0, 1)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_script", lambda: redis_client().register_script(script))
        yield Clock()
    redis_client().delete("test:clock")
