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
    """UTC now, shifted by `offset_seconds`; never runs backwards by its own doing.

    `on_advance` is called after each step, for whoever waits until a moment.
    """

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._offset_seconds = offset_seconds
        self.on_advance: Callable[[], None] = _nobody_waits

    @property
    def offset_seconds(self) -> float:
        return self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock forward.  Raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError("advance_seconds: the clock only moves forward")
        with self._lock:
            self._offset_seconds += seconds
        self.on_advance()

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offset_seconds)

    def now_ms(self) -> int:
        return epoch_ms(self.now())


def _nobody_waits() -> None:
    """Time passes unnoticed."""


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
