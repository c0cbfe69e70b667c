"""The processes that the mailboxes are served by: two masters of workers, and a scheduler."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import psutil

from pipeline.embedded import Child, Supervisor
from pipeline.embedded.supervisor import Backoff

_MASTERS = ("workers-1", "workers-2")
#: Every two seconds: a run has no minutes to wait for a tick.
_CRON = "*/2 * * * * *"
_CRONS = ("DISPATCH", "SWEEP", "RENEWAL", "DELTA_SYNC", "STAGING")
#: What an operator would not set so short: a run shall be over in minutes.
SETTINGS = {
    **{f"CRON_{name}": _CRON for name in _CRONS},
    "LEASE_SECONDS": "4",
    "WORKER_TIMEOUT_SECONDS": "6",
    "SWEEP_SECONDS": "1",
    "REQUEUE_AFTER_SECONDS": "10",
    "MICROSOFT_MAIL_FRESHNESS_TARGET_SECONDS": "15",
    "CADENCE_FLOOR_SECONDS": "5",
    "CADENCE_CEILING_SECONDS": "15",
    "WORKER_METRICS_PORT": "0",
    "SCHEDULER_METRICS_PORT": "0",
}


class Troupe:
    """Worker processes of which any may be killed: they are started again."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.killed = 0

    def kill_one(self, seed: int, at: float) -> None:
        """Kill -9 a worker master with all its processes."""
        name = Random(f"{seed}/{at}").choice(_MASTERS)
        pid = next(state.pid for state in self._supervisor.states() if state.name == name)
        if pid is None:
            return  # it is being started again just now
        with suppress(psutil.NoSuchProcess):
            master = psutil.Process(pid)
            for process in [master, *master.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
            self.killed += 1


@contextmanager
def running(folder: Path, actors: str = "actors") -> Iterator[Troupe]:
    """Run the processes, whose workers load `actors`, and stop them in the end."""
    command = [sys.executable, "-m", "dramatiq", actors, "-p", "1", "-t", "6"]
    children = [Child(name, command) for name in _MASTERS]
    children.append(Child("scheduler", [sys.executable, "-m", "scheduler"]))
    backoff = Backoff(first_seconds=0.5, longest_seconds=1)
    with Supervisor(folder, children, backoff=backoff) as supervisor:
        yield Troupe(supervisor)
