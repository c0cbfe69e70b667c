"""Real processes for the acceptance tests: started with settings, ended with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from environments import environment

ROOT = Path(__file__).parents[2]
WORKER = [sys.executable, "-m", "dramatiq", "actors", "-p", "1", "-t", "4"]
SCHEDULER = [sys.executable, "scheduler.py"]


@contextmanager
def running(command: list[str], log: Path, **settings: str) -> Iterator[psutil.Popen]:
    """Run `command` as an operator would, in a process group of its own."""
    with log.open("ab") as output:
        process = psutil.Popen(
            command,
            cwd=ROOT,
            env={**environment(), **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.is_running():
            process.terminate()
            try:
                process.wait(30)
            finally:
                kill_group(process)


def kill_group(process: psutil.Popen) -> None:
    """Send SIGKILL to a process and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
