"""What happens to servers and processes, told as it happens and kept for the view."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime

from pipeline.cli.output import note

_KEPT = 6


class Events:
    """Lines of the form "12:03:04 name: what happened"; from any thread."""

    def __init__(self, *, aloud: bool) -> None:
        """With `aloud` each is written to standard error at once, else only shown in the view."""
        self._aloud = aloud
        self._turn = threading.Lock()
        self._newest: deque[str] = deque(maxlen=_KEPT)

    def tell(self, name: str, text: str) -> None:
        """Add an event."""
        line = f"{datetime.now(UTC):%H:%M:%S} {name}: {text}"
        with self._turn:
            self._newest.append(line)
            if self._aloud:
                note(line)

    @property
    def newest(self) -> list[str]:
        """The newest few, oldest first."""
        with self._turn:
            return list(self._newest)
