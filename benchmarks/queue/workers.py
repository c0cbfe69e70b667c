"""Worker processes of the sides: started, watched and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.queue.load import PROCESSES, THREADS

_STOP_SECONDS = 40
_POLL_SECONDS = 0.01
_LOG_LINES_SHOWN = 20


class DidNotFinish(RuntimeError):
    """A side did not do in time what is measured; the message has its last log lines."""


def dramatiq(*modules_and_options: str) -> list[str]:
    """Return the command that serves the actors of the modules."""
    shape = ["-p", str(PROCESSES), "-t", str(THREADS)]
    return [sys.executable, "-m", "dramatiq", *modules_and_options, *shape]


class Workers:
    """Running worker processes, with all that they have started."""

    def __init__(self, processes: Sequence[psutil.Popen], log: Path) -> None:
        self._processes = processes
        self._log = log

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Ask until `done`; raises DidNotFinish after `seconds`, or when a worker has ended."""
        deadline = time.monotonic() + seconds
        while not done():
            ended = any(process.poll() is not None for process in self._processes)
            if ended or time.monotonic() > deadline:
                why = "a worker ended" if ended else f"not within {seconds:.0f} s"
                lines = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
                raise DidNotFinish("\n".join([f"{what}: {why}", *lines]))
            time.sleep(_POLL_SECONDS)

    def all(self) -> list[psutil.Process]:
        """Return every process: those that were started, and their children."""
        return [
            process
            for started in self._processes
            for process in (psutil.Process(started.pid), *started.children(recursive=True))
        ]

    def cpu_seconds(self) -> float:
        """Return the processor time that all of them have used so far."""
        return sum(cpu_seconds(process) for process in self.all())


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time that one process has used, in user and system mode."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def running(commands: Sequence[Sequence[str]], log: Path, **settings: str) -> Iterator[Workers]:
    """Run worker processes, each in a group of its own; none is left behind."""
    started: list[psutil.Popen] = []
    try:
        with log.open("ab") as output:
            for command in commands:
                started.append(
                    psutil.Popen(
                        command,
                        env={**os.environ, **settings},
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )
        yield Workers(started, log)
    finally:
        for process in started:
            _stop(process)


def _stop(process: psutil.Popen) -> None:
    try:
        process.terminate()
        process.wait(_STOP_SECONDS)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
