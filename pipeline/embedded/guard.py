"""Turns itself into another program that ends when its starter ends.

Run as a script: `python -I -S guard.py PARENT SIGNAL LOCK FOLDER PROGRAM ARGUMENT…`.

What it sets survives `exec`, so the program needs no wrapper around it:

- Linux: PR_SET_PDEATHSIG sends SIGNAL when the starter dies, also by kill -9.
  https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
- LOCK, unless it is empty, is a file that stays locked for exactly as long as the
  program lives, so two servers can never write one folder.  What the program
  creates is for this user only.
- FOLDER, unless it is empty, becomes its working directory.

A script instead of `preexec_fn`, which may deadlock in a process with threads:
https://docs.python.org/3/library/subprocess.html#subprocess.Popen
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

#: Exit codes of this script; a shell uses the same ones for the same reasons.
CANNOT_RUN = 126
NOT_FOUND = 127
#: BSD's EX_TEMPFAIL: somebody else holds the lock, or the starter has died.
TRY_LATER = 75


def _leave(exit_code: int, reason: str) -> None:
    sys.stderr.write(f"{reason}\n")
    sys.stderr.flush()
    os._exit(exit_code)


def _die_with(parent_pid: int, death_signal: int) -> None:
    import ctypes  # costs 20 ms, and only Linux needs it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        _leave(CANNOT_RUN, f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent_pid:  # it died before the call, so no signal will come
        _leave(TRY_LATER, "the process that started this one is gone")


def _hold(lock_path: str) -> None:
    os.umask(0o077)
    descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _leave(TRY_LATER, f"another process holds {lock_path}")
    os.set_inheritable(descriptor, True)


def main() -> None:
    """Set what the command line asks for, then become its program."""
    parent_pid, death_signal, lock_path, folder, *command = sys.argv[1:]
    if sys.platform == "linux":
        _die_with(int(parent_pid), int(death_signal))
    if lock_path:
        _hold(lock_path)
    if folder:
        os.chdir(folder)
    # Python ignores these, and what is ignored stays ignored after exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is what we want
    except FileNotFoundError:
        _leave(NOT_FOUND, f"cannot start {command[0]}: it, or its interpreter, is not there")
    except OSError as error:
        _leave(CANNOT_RUN, f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
