"""Ctrl-C and SIGTERM: an exception while servers start, a wish to end after that."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """While this lasts, the first signal stops; further ones do not disturb the stopping."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._gentle = False
        self._before: dict[signal.Signals, Any] = {}

    def gently(self) -> None:
        """From now on a signal interrupts nothing: it is only noted."""
        self._gentle = True

    def wait(self, seconds: float) -> bool:
        """Wait for a signal, for so long at most; return whether there was one."""
        return self._wanted.wait(seconds)

    @property
    def wanted(self) -> bool:
        """Whether there was a signal."""
        return self._wanted.is_set()

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        first = not self._wanted.is_set()
        self._wanted.set()
        if first and not self._gentle:
            raise KeyboardInterrupt
