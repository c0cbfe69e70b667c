"""Keeps child processes running in the foreground: starts, watches, restarts and stops them.

Used by `headrace up` for the sandbox, the workers and the scheduler.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import psutil

from pipeline.embedded.files import FileLock, last_lines, move_long_log_aside, private_folder
from pipeline.embedded.processes import end, end_all, end_session, marked, spawn
from pipeline.errors import Misconfigured

#: Marks every descendant, so that a later run can find what a killed one left behind.
MARKER = "HEADRACE_SUPERVISED_IN"

_LEFTOVER_SECONDS = 5.0

Status = Literal["not started", "running", "waiting to restart", "stopped"]


@dataclass(frozen=True)
class Child:
    """A program to keep running."""

    name: str
    """Names its log file."""
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """What is added to the environment of this process."""
    stop_signal: signal.Signals = signal.SIGTERM
    """Sent to the process itself, not to its children: it stops those."""
    stop_timeout_seconds: float = 30.0
    """After this it is killed, with all its descendants."""


@dataclass(frozen=True)
class Backoff:
    """Pauses between restarts: `first`, twice that, … up to `longest`."""

    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    healthy_after_seconds: float = 60.0
    """A child that ran for this long begins with the first pause again."""

    def pause_seconds(self, failures_in_a_row: int) -> float:
        """Return the pause after that many exits in a row (1 or more), each after a short run."""
        doublings = min(failures_in_a_row - 1, 64)  # beyond that a float would overflow some day
        return min(self.first_seconds * 2.0**doublings, self.longest_seconds)


@dataclass(frozen=True)
class ChildState:
    """How one child is, at one moment."""

    name: str
    status: Status
    pid: int | None
    restarts: int
    last_exit_code: int | None
    """Of the last exit; negative: the signal that ended it; None: it has not exited."""
    last_log_lines: list[str]


class _Keeper:
    """One child and the thread that keeps it running."""

    def __init__(
        self, child: Child, data_dir: Path, backoff: Backoff, tell: Callable[[str, str], None]
    ) -> None:
        self.child = child
        # Unbuffered, so that the last lines before a kill are in the log too.
        own = {"PYTHONUNBUFFERED": "1", **child.env, MARKER: str(data_dir)}
        self._env = {**os.environ, **own}
        self._log = data_dir / "log" / f"{child.name}.log"
        self._backoff = backoff
        self._tell = tell
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._keep_running, name=f"keep-{child.name}", daemon=True
        )
        self._changing = threading.Lock()
        self._process: psutil.Process | None = None
        self._status: Status = "not started"
        self._starts = 0
        self._last_exit_code: int | None = None

    def start(self) -> None:
        private_folder(self._log.parent)
        self._launch()
        self._thread.start()

    def state(self) -> ChildState:
        with self._changing:
            return ChildState(
                name=self.child.name,
                status=self._status,
                pid=self._process.pid if self._process else None,
                restarts=max(self._starts - 1, 0),
                last_exit_code=self._last_exit_code,
                last_log_lines=last_lines(self._log),
            )

    def stop(self) -> None:
        """Stop the child and its thread.  Does nothing to one that was never started."""
        with self._changing:
            self._stopping.set()
            process = self._process
        if process is not None:
            end(
                process,
                self.child.stop_signal,
                within_seconds=self.child.stop_timeout_seconds,
                reap=False,
            )
        if self._thread.ident is not None:
            self._thread.join()
        with self._changing:
            self._status = "stopped"

    def _keep_running(self) -> None:
        failures_in_a_row = 0
        while True:
            began = time.monotonic()
            self._await_exit()
            healthy = time.monotonic() - began >= self._backoff.healthy_after_seconds
            failures_in_a_row = 1 if healthy else failures_in_a_row + 1
            pause_seconds = self._backoff.pause_seconds(failures_in_a_row)
            if self._stopping.is_set():
                return
            self._tell(self.child.name, f"{self._how_it_ended()}; again in {pause_seconds:g} s")
            self._stopping.wait(pause_seconds)
            self._launch()

    def _launch(self) -> None:
        with self._changing:
            if self._stopping.is_set():
                return
            move_long_log_aside(self._log)
            self._starts += 1
            try:
                self._process = spawn(
                    self.child.argv,
                    env=self._env,
                    log=self._log,
                    death_signal=self.child.stop_signal,
                )
            except OSError as error:  # no memory, no process ids: may pass, as an exit may
                self._tell(self.child.name, f"cannot be started: {error.strerror}")
            else:
                self._status = "running"

    def _await_exit(self) -> None:
        process = self._process
        if process is None:
            return
        exit_code = process.wait()
        # Its own children, if it left any: they have nobody else to stop them.
        end_session(process.pid, self.child.stop_signal, within_seconds=_LEFTOVER_SECONDS)
        with self._changing:
            self._process = None
            self._last_exit_code = exit_code
            self._status = "stopped" if self._stopping.is_set() else "waiting to restart"

    def _how_it_ended(self) -> str:
        return "ended" if self._last_exit_code is None else f"ended with {self._last_exit_code}"


class Supervisor:
    """Several children of one data folder; as a context manager it starts and stops them."""

    def __init__(
        self,
        data_dir: Path,
        children: Sequence[Child],
        *,
        on_event: Callable[[str, str], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """`on_event(name, text)` tells what happens, from the thread in which it happens."""
        self._data_dir = data_dir.absolute()
        tell = on_event or (lambda _name, _text: None)
        self._keepers = {
            child.name: _Keeper(child, self._data_dir, backoff or Backoff(), tell)
            for child in children
        }
        self._lock = FileLock(self._data_dir / "supervisor.lock")

    def start(self) -> None:
        """Start the children in their order, after ending what a killed run left of them.

        Raises Misconfigured if another supervisor works in the same data folder.
        """
        private_folder(self._data_dir)
        if not self._lock.acquire(within_seconds=0):
            raise Misconfigured(f"Another process runs the children of {self._data_dir} already.")
        self._end_strays()
        for keeper in self._keepers.values():
            keeper.start()

    def states(self) -> list[ChildState]:
        """Return how each child is, in the order in which they were given."""
        return [keeper.state() for keeper in self._keepers.values()]

    def stop(self, order: Sequence[str] | None = None) -> None:
        """Stop the children one after the other and leave no process of theirs behind.

        `order` has names; those not in it follow, and by default all, last started
        first.  Does nothing when it was not started, or was stopped already.
        """
        if not self._lock.is_held:
            return
        for name in [*(order or ()), *reversed(self._keepers)]:
            with suppress(KeyError):
                self._keepers[name].stop()
        self._end_strays()
        self._lock.release()

    def _end_strays(self) -> None:
        """End marked processes that no keeper knows; holding the lock, they are nobody else's."""
        strays = marked(MARKER, str(self._data_dir))
        end_all(strays, signal.SIGTERM, within_seconds=_LEFTOVER_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
