"""What many waiting jobs cost, and how fast one is found among them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.queue import load
from benchmarks.queue.measure import Results, measured
from benchmarks.queue.sides import Headrace
from benchmarks.queue.stage import Stage
from pipeline.jobs.search import parsed, search

BYTES_PER_JOB, SEARCH_MS = 2048, 200

#: Text in no job id; that of one user; and a scope that is not in the ids: all jobs are read.
_SEARCHES = {
    "finds_nothing": "user-without-jobs",
    "finds_some": f"user-{load.USERS - 1}",
    "reads_all": "tenant:tenant-without-jobs",
}


def memory(stage: Stage, side: Headrace, jobs: int) -> Results:
    """Fill the queue, and see by how much Redis has grown."""
    stage.empty()
    before = stage.redis_bytes()
    _fill(stage, side, jobs)
    each = (stage.redis_bytes() - before) / jobs
    return {"redis_bytes_per_waiting_job": measured([each], at_most=BYTES_PER_JOB)}


def searches(stage: Stage, side: Headrace, jobs: int, rounds: int) -> Results:
    """Search among waiting jobs: the function, and the command as a process, most of whose time
    goes into starting Python: the last row has a command that only helps."""
    _fill(stage, side, jobs)
    results = {}
    for name, text in _SEARCHES.items():
        results[f"search_that_{name}_ms"] = measured(
            _times_ms(partial(_search, text), rounds), at_most=SEARCH_MS
        )
        results[f"search_command_that_{name}_ms"] = measured(
            _times_ms(partial(_command, text), rounds)
        )
    results["command_that_only_helps_ms"] = measured(_times_ms(_help, rounds))
    return results


def _fill(stage: Stage, side: Headrace, jobs: int) -> None:
    stage.empty()
    stage.log(f"enqueueing {jobs:,} jobs")
    side.fill(load.noops(jobs))


def _times_ms(run: Callable[[], object], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        begun = time.monotonic()
        run()
        times.append((time.monotonic() - begun) * 1000)
    return times


def _search(text: str) -> object:
    return search(parsed(text), limit=50)


def _command(text: str) -> object:
    return _headrace("jobs", "list", "--search", text)


def _help() -> object:
    """Start Python, and import what every command needs."""
    return _headrace("--help")


def _headrace(*args: str) -> object:
    program = [sys.executable, "-c", "from pipeline.cli.main import main; main()", *args]
    return subprocess.run(program, check=True, capture_output=True)
