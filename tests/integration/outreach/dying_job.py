"""A job that is killed at a certain point: `python dying_job.py POINT before|after JOB ARGUMENT…`

POINT is a function, as "module:name".
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from pipeline.outreach import sending


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(point: str, when: str) -> None:
    """Have the process die before or after a function does its work."""
    module_name, _, path = point.partition(":")
    owner: Any = importlib.import_module(module_name)
    *owners, name = path.split(".")
    for part in owners:
        owner = getattr(owner, part)
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
    getattr(sending, job)(*arguments)
