"""Starting, recognising and ending processes of other programs."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_GUARD = Path(__file__).with_name("guard.py")
_POLL_SECONDS = 0.02
#: Start times of one process, read at different moments, differ by clock adjustments.
_SAME_START_SECONDS = 2.0

# Linux sends a parent-death signal when the *thread* that forked ends, not the
# process.  So one thread forks for everybody, and it lives until the interpreter ends.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def _renew_spawner() -> None:
    global _spawner
    _spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


os.register_at_fork(after_in_child=_renew_spawner)


@dataclass(frozen=True)
class Identity:
    """A process that can be recognised later: ids are reused, with a start time they are not."""

    pid: int
    started_at: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, process: psutil.Process) -> Identity:
        """Return the identity of `process`."""
        return cls(process.pid, process.create_time())

    def find(self) -> psutil.Process | None:
        """Return the process if it is still alive."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) <= _SAME_START_SECONDS
        except psutil.NoSuchProcess:
            return None
        return process if same and is_alive(process) else None


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    lock: Path | None = None,
    folder: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> psutil.Process:
    """Start `argv` in a session of its own, with its output appended to `log`.

    Ctrl-C in a terminal does not reach it.  On Linux it gets `death_signal` when
    this process ends in any way; elsewhere it then lives on.  `lock` is held for
    as long as it lives.  `folder` becomes its working directory; without one it has ours.

    Raises OSError if no process can be made; a program that is not there shows as
    an exit code (see guard.py) and a line in `log`.
    """
    guard = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(int(death_signal))]
    command = [*guard, str(lock or ""), str(folder or ""), *argv]
    return _spawner.submit(_posix_spawn, command, dict(env), log).result()


def _posix_spawn(command: list[str], env: dict[str, str], log: Path) -> psutil.Process:
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
    )
    return psutil.Process(pid)


def is_alive(process: psutil.Process) -> bool:
    """Return whether the process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(
    process: psutil.Process,
    stop_signal: signal.Signals,
    *,
    within_seconds: float,
    reap: bool = True,
) -> bool:
    """End a process that `spawn` made, and whatever is left of its session.

    Only the process itself gets `stop_signal`: it stops its own children.  After
    `within_seconds` all are killed.  `reap` is False where another thread waits for
    its exit code.  Returns whether it ended without being killed.
    """
    if not process.is_running():  # long gone; its id may be another session's by now
        return True
    with suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
    in_time = _ended([process], within_seconds)
    if not in_time:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    end_session(process.pid, stop_signal, within_seconds=0 if not in_time else 1)
    with suppress(psutil.NoSuchProcess):
        if reap and process.ppid() == os.getpid():
            process.wait()
    return in_time


def end_session(session_id: int, stop_signal: signal.Signals, *, within_seconds: float) -> None:
    """End every process of a session whose leader has ended or is being killed."""
    end_all(_session_members(session_id), stop_signal, within_seconds=within_seconds)
    # A member may have forked while it was being ended.
    end_all(_session_members(session_id), signal.SIGKILL, within_seconds=0)


def end_all(
    processes: Sequence[psutil.Process], stop_signal: signal.Signals, *, within_seconds: float
) -> None:
    """Signal all of `processes`; kill those that are there after `within_seconds`."""
    for signal_number, patience_seconds in ((stop_signal, within_seconds), (signal.SIGKILL, 10.0)):
        for process in filter(is_alive, processes):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal_number)
        if _ended(processes, patience_seconds):
            return


def _session_members(session_id: int) -> list[psutil.Process]:
    members = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == session_id:
                members.append(psutil.Process(pid))
    return [member for member in members if is_alive(member)]


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Return the processes that were started with `variable=value`, not counting this one.

    Finds descendants that have left their session or lost their parent.
    """
    found = []
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid not in own and process.environ().get(variable) == value:
                found.append(process)
    return found


def _ended(processes: Sequence[psutil.Process], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while any(map(is_alive, processes)):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
