"""What takes long to count is counted once in some seconds, whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

#: How old a remembered value may be.
LATELY_SECONDS = 5.0
#: What takes less is counted each time.
_LONG_SECONDS = 0.05
#: Values that are kept at a time; the oldest go.
_MOST = 256

_values: dict[Hashable, tuple[float, Any]] = {}
_lock = Lock()


def lately(key: Hashable, count: Callable[[], T]) -> T:
    """Return what `count` returned within the last seconds for `key`, or what it returns now."""
    now = time.monotonic()
    with _lock:
        counted_at, value = _values.get(key, (float("-inf"), None))
    if now - counted_at <= LATELY_SECONDS:
        return value  # type: ignore[no-any-return]  # it is what `count` returned
    fresh = count()
    counted_at = time.monotonic()
    with _lock:
        _values.pop(key, None)
        if counted_at - now > _LONG_SECONDS:
            _values[key] = counted_at, fresh
        while len(_values) > _MOST:
            _values.pop(next(iter(_values)))
    return fresh
