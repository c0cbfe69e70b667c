"""The most memory that a worker process has had while somebody watched."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

_LOOK_SECONDS = 0.5
_MIB = 2**20


class Watch:
    """Looks at the Dramatiq processes below this one, until it is left."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "dramatiq" in process.cmdline():
                        self.peak_mib = max(self.peak_mib, process.memory_info().rss / _MIB)
                except psutil.Error:  # it has ended meanwhile
                    continue
