"""The sandbox's clock: real time plus an offset that control can move forward."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_ms(at: datetime) -> int:
    """Whole milliseconds since 1970 of an aware datetime, without a float in between."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


class Clock:
    """UTC now, shifted by `offset_seconds`; runs backwards only where it is reset.

    Whoever waits until a moment is told of each step, see `on_advance`.
    """

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._offset_seconds = offset_seconds
        self._listeners: list[Callable[[], None]] = []

    @property
    def offset_seconds(self) -> float:
        return self._offset_seconds

    def on_advance(self, tell: Callable[[], None]) -> None:
        """Have `tell` called after each step."""
        self._listeners.append(tell)

    def advance(self, seconds: float) -> None:
        """Move the clock forward.  Raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError("advance_seconds: the clock only moves forward")
        with self._lock:
            self._offset_seconds += seconds
        for tell in self._listeners:
            tell()

    def reset(self) -> None:
        """Show real time again."""
        with self._lock:
            self._offset_seconds = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offset_seconds)

    def now_ms(self) -> int:
        return epoch_ms(self.now())


def rfc3339(at_ms: int) -> str:
    """`at_ms` (epoch milliseconds) as Google writes it: UTC, three decimals, `Z`."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def parse_rfc3339_ms(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 timestamp; the offset is mandatory.  Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or "T" not in text.upper():
        raise ValueError(f"not an RFC 3339 timestamp with an offset: {text!r}")
    return epoch_ms(at)
