"""A thread that keeps a lease or lock alive while its holder works."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Heartbeat:
    """Calls `beat` every `every_seconds` while the block runs, until it returns False.

    A process that is stopped or killed beats no more, so that what it held runs out.
    """

    def __init__(self, name: str, every_seconds: float, beat: Callable[[], bool]) -> None:
        self._every_seconds = every_seconds
        self._beat = beat
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._every_seconds):
            if not self._beat():
                return

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
