"""A value that takes long to read, remembered for all who look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import pymongo

from pipeline.web.stores import PATIENCE_SECONDS

T = TypeVar("T")

#: Reading takes at most one part in so many of a thread, however much there is to read.
_IDLE_SHARE = 20


class Remembered(Generic[T]):
    """What `read` returns, not much older than `seconds`.

    Only the first who asks waits; later ones get the last value while a thread reads
    anew.  What it raises is raised to who asks next, and then asked for again.
    """

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._asking = threading.Lock()
        self._value: T | None = None
        self._error: Exception | None = None
        self._asked = False
        self._due_at = 0.0

    def get(self) -> T:
        """Return the value.  Raises what reading it raises."""
        if not self._asked:
            with self._asking:
                if not self._asked:
                    self._ask()
        elif time.monotonic() > self._due_at and self._asking.acquire(blocking=False):
            threading.Thread(target=self._ask_anew, name="remembered", daemon=True).start()
        if self._error is not None:
            error, self._error, self._asked = self._error, None, False
            raise error
        return self._value  # type: ignore[return-value]  # it is asked for, and did not fail

    def forget(self) -> None:
        """Have the next who asks wait for what is so then."""
        with self._asking:
            self._asked, self._error = False, None

    def _ask_anew(self) -> None:
        try:
            with pymongo.timeout(PATIENCE_SECONDS):
                self._ask()
        finally:
            self._asking.release()

    def _ask(self) -> None:
        began = time.monotonic()
        try:
            self._value = self._read()
        except Exception as error:  # noqa: BLE001 - raised to who asks
            self._error = error
        took = time.monotonic() - began
        self._due_at = time.monotonic() + max(self._seconds, _IDLE_SHARE * took)
        self._asked = True
