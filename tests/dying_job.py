"""A job that is killed at a certain point: `python dying_job.py POINT before|after JOB ARGUMENT…`

POINT and JOB are functions, as "module:name".
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from typing import Any


def killed(point: str, when: str, job: str, *arguments: str) -> None:
    """Run a job in a process of its own, which is killed at a point."""
    command = [sys.executable, __file__, point, when, job, *arguments]
    done = subprocess.run(command, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def found(path: str) -> tuple[Any, str]:
    """Return what has a function, and the function's name there."""
    module_name, _, names = path.partition(":")
    owner: Any = importlib.import_module(module_name)
    *owners, name = names.split(".")
    for part in owners:
        owner = getattr(owner, part)
    return owner, name


def wrap(point: str, when: str) -> None:
    """Have the process die before or after a function does its work."""
    owner, name = found(point)
    step = getattr(owner, name)

    def dying(*args: Any, **named: Any) -> Any:
        if when == "before":
            die()
        done = step(*args, **named)
        die()
        return done

    setattr(owner, name, dying)


if __name__ == "__main__":
    point, when, job, *arguments = sys.argv[1:]
    wrap(point, when)
    owner, name = found(job)
    getattr(owner, name)(*arguments)
