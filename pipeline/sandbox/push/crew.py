"""Threads that call on others: each thing on an agenda is in one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import requests

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.push.agenda import Agenda

#: So many receivers can be slow before others wait for them.
THREADS = 4
#: A stop waits so long for an answer that is on its way; without it the rows stay, and what they
#: say is told again after the next start.
_STOP_SECONDS = 1.0

#: Looks at a thing, and returns when to look at it again, if ever.
Look = Callable[[int, requests.Session], int | None]


class Crew:
    """Looks at what is on its agenda when that is due."""

    def __init__(self, name: str, clock: Clock, look: Look, threads: int = THREADS) -> None:
        self.agenda = Agenda(clock)
        self._name, self._clock, self._look, self._size = name, clock, look, threads
        self._threads: list[threading.Thread] = []

    def start(self, waiting: Iterable[tuple[int, int]]) -> None:
        """Begin with what an earlier process left: (number, when it is due)."""
        self._clock.on_advance(self.agenda.look_at_the_clock)
        for number, due_ms in waiting:
            self.agenda.wake(number, due_ms)
        for place in range(self._size):
            name = f"sandbox-{self._name}-{place}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self.agenda.close()
        end = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    @property
    def stopped(self) -> bool:
        """Whether the store may be closed by now: whoever looks must write nothing any more."""
        return self.agenda.closed

    def _work(self) -> None:
        with new_session() as session:
            while (number := self.agenda.take()) is not None:
                due_ms = self._look(number, session)
                if self.stopped:
                    return
                self.agenda.give_back(number, due_ms)


def new_session() -> requests.Session:
    """A session for receivers of a local sandbox, with whom a proxy has no business."""
    session = requests.Session()
    session.trust_env = False
    return session
