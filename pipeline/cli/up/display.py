"""How `headrace up` shows itself: live on a terminal, as lines in a log, or not at all."""

from __future__ import annotations

import sys
import time
from typing import Self

from rich.console import Console
from rich.live import Live as RichLive

from pipeline.cli.up.session import Session
from pipeline.cli.up.view import plain_line, view

_PLAIN_LINE_SECONDS = 3.0
_REFRESHES_PER_SECOND = 2.0


class Silence:
    """Shows nothing: standard output is for one JSON document."""

    def refresh(self) -> None:
        """Show what is new, if it is time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Show no more."""


class Lines(Silence):
    """Writes a line every few seconds."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._next = 0.0

    def refresh(self) -> None:
        """See Silence."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_LINE_SECONDS
            sys.stdout.write(f"{plain_line(self._session)}\n")
            sys.stdout.flush()


class Live(Silence):
    """Keeps a view of everything on the terminal; it draws itself anew twice a second."""

    def __init__(self, session: Session) -> None:
        self._live = RichLive(
            console=Console(highlight=False),
            get_renderable=lambda: view(session),
            refresh_per_second=_REFRESHES_PER_SECOND,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """See Silence."""
        self._live.stop()
