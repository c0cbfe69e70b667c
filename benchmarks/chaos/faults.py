"""Doing to workers and stores what the plan says, and writing down what was hit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import backoff
import psutil
from redis.exceptions import RedisError

from benchmarks.chaos import table
from benchmarks.chaos.fault_plan import WORKERS, Fault
from benchmarks.chaos.stage import Stage, forbid_late_writes
from pipeline.embedded import Supervisor
from pipeline.jobs import controls

_SCOPES = (f"queue:{table.MAIN.name}", f"queue:{table.SIDE.name}", "tenant:tenant0", "user:user1")
#: How long a fault waits for a worker that it could hit: its master may be starting.
_PATIENCE_SECONDS = 10.0


class NothingToHit(Exception):
    """No worker process was there for a while."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that was done, and to which worker processes.  Times are in seconds since the epoch.

    A store that was killed is back at `until`.
    """

    fault: Fault
    at: float
    until: float = 0.0
    pids: tuple[int, ...] = ()


class Faults:
    """Runs the faults of a plan, a thread per target, so that those of one never overlap."""

    def __init__(
        self, stage: Stage, supervisor: Supervisor, witness: Path, tell: Callable[[str], None]
    ) -> None:
        self.hits: list[Hit] = []
        self.errors: list[str] = []
        self._stage = stage
        self._supervisor = supervisor
        self._witness = witness
        self._tell = tell
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, faults: Iterable[Fault]) -> None:
        """Begin; the times of the plan count from now."""
        began = time.monotonic()
        for target, some in groupby(sorted(faults, key=_by_target), lambda fault: fault.target):
            args = (list(some), began)
            self._threads.append(threading.Thread(target=self._run, args=args, name=target))
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Return whether every fault was done and undone."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Undo what is held, and leave out the rest."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, faults: list[Fault], began: float) -> None:
        for fault in faults:
            self._stop.wait(max(0.0, began + fault.at_seconds - time.monotonic()))
            if self._stop.is_set():
                return
            self._tell(f"{fault.kind} {fault.target}")
            try:
                with self._done(fault) as hit:
                    self._stop.wait(fault.hold_seconds)
                self.hits.append(replace(hit, until=time.time()))
            except NothingToHit as reason:
                self._tell(f"left out: {reason}")
            except Exception as error:  # noqa: BLE001 - a fault that cannot be done is a finding
                self.errors.append(f"{fault.kind} {fault.target}: {type(error).__name__}: {error}")

    @contextmanager
    def _done(self, fault: Fault) -> Iterator[Hit]:
        """Hold the fault for the block."""
        if fault.target in WORKERS:
            with self._worker_fault(fault) as hit:
                yield hit
        elif fault.target == "queue":
            scope = _SCOPES[fault.pick]
            _insistently(lambda: controls.pause(scope, reason="chaos", by="chaos"))
            yield Hit(fault, time.time())
            _insistently(lambda: controls.resume(scope))
        elif fault.kind == "freeze":
            process = self._stage.process(fault.target)
            hit = Hit(fault, time.time())
            process.suspend()
            yield hit
            process.resume()
        else:
            hit = Hit(fault, time.time())
            self._stage.process(fault.target).kill()
            yield hit
            self._stage.stores[fault.target].revive()
            if fault.target == "redis":
                _insistently(forbid_late_writes)

    @contextmanager
    def _worker_fault(self, fault: Fault) -> Iterator[Hit]:
        master, processes = self._workers_of(fault.target)
        one = processes[fault.pick % len(processes)]
        hurt = [one] if fault.kind in ("kill-process", "stall") else processes
        hit = Hit(fault, time.time(), pids=tuple(process.pid for process in hurt))
        with suppress(psutil.NoSuchProcess):  # it killed itself, or was being restarted
            match fault.kind:
                case "kill-process":
                    one.kill()
                case "kill-master":
                    master.kill()
                case "kill-all":
                    os.killpg(master.pid, signal.SIGKILL)
                case "terminate":
                    master.terminate()
                case "stall":
                    one.suspend()
        yield hit
        if fault.kind == "stall":
            with suppress(psutil.NoSuchProcess):
                one.resume()

    def _workers_of(self, name: str) -> tuple[psutil.Process, list[psutil.Process]]:
        """Return a master and its worker processes that have begun to work.

        Raises NothingToHit if there are none for a while.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state = next(state for state in self._supervisor.states() if state.name == name)
            with suppress(psutil.NoSuchProcess):
                if state.pid is not None:
                    master = psutil.Process(state.pid)
                    children = [one for one in master.children() if self._has_begun(one)]
                    if children:
                        return master, children
            time.sleep(0.1)
        raise NothingToHit(f"no process of {name} works yet")

    def _has_begun(self, process: psutil.Process) -> bool:
        return (self._witness / f"{process.pid}.jsonl").exists()


def _by_target(fault: Fault) -> tuple[str, float]:
    return fault.target, fault.at_seconds


@backoff.on_exception(backoff.constant, RedisError, interval=0.2, max_time=120)
def _insistently(ask: Callable[[], object]) -> None:
    ask()
