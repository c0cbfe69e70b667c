"""What a chaos run is played on: stores of its own, and two masters of worker processes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

import models
from benchmarks.chaos import table
from benchmarks.chaos.fault_plan import WORKERS
from benchmarks.chaos.ledger import FOLDER_VARIABLE
from benchmarks.chaos.pace import Pace
from benchmarks.chaos.plan import Plan
from pipeline import embedded
from pipeline.clients.keyring import new_key
from pipeline.config import settings
from pipeline.embedded import Child, Running, Supervisor
from pipeline.embedded.supervisor import Backoff
from pipeline.stores import mongodb, redis_client

_THREADS = 4


class Stage:
    """The stores of all seeds of one run; each seed finds them empty."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        self.folder = folder
        self.pace = pace
        self.stores: dict[str, Running] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        """Run the stores, and point the settings of this process and of its children at them."""
        before = dict(os.environ)
        with ExitStack() as stack:
            stack.enter_context(_logging_to(self.folder / "harness.log"))
            # In folders of their own, so that one can be revived while the other is down.
            for name in ("redis", "mongodb"):
                running = embedded.start(self.folder / "stores" / name, [name])
                self.stores[name] = stack.enter_context(running)
                os.environ.update(running.settings)
            os.environ.update(
                {
                    "HEADRACE_DATA_DIR": str(self.folder),
                    "ENCRYPTION_KEYS": new_key(),
                    "WORKER_METRICS_PORT": "0",
                    **self.pace.settings,
                }
            )
            settings.cache_clear()
            table.add_for_producers()
            try:
                yield
            finally:
                os.environ.clear()
                os.environ.update(before)
                settings.cache_clear()

    def empty(self) -> None:
        """Forget what an earlier seed has left."""
        for running in self.stores.values():
            running.revive()
        redis_client().flushall()
        forbid_late_writes()
        mongodb().client.drop_database(mongodb().name)
        models.ensure_indexes()

    def process(self, store: str) -> psutil.Process:
        """Return the server process of a store."""
        return psutil.Process(self.stores[store].pid(store))


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Have this process log to a file: on the terminal is the progress."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def forbid_late_writes() -> None:
    """Have Redis hand every write to the kernel before it acknowledges it.

    With `appendfsync everysec`, a write may stay in Redis' own memory for up to
    2 s while an earlier sync is slow, and kill -9 would lose it.  That is what
    everysec promises; here it would pass for a lost job.  Redis forgets this
    when it restarts.
    """
    redis_client().config_set("appendfsync", "no")


def workers(plan: Plan, folder: Path, witness: Path) -> Supervisor:
    """Return the two masters with their worker processes, as an operator would run them."""
    children = [
        Child(
            name,
            _command(processes),
            env={FOLDER_VARIABLE: str(witness)},
            stop_timeout_seconds=settings().shutdown_grace_seconds + 10,
        )
        for name, processes in zip(WORKERS, plan.processes, strict=True)
    ]
    return Supervisor(folder, children, backoff=Backoff(first_seconds=0.5, longest_seconds=1))


def _command(processes: int) -> list[str]:
    program = [sys.executable, "-m", "dramatiq", "benchmarks.chaos.actors"]
    sizes = ["--processes", str(processes), "--threads", str(_THREADS)]
    return [*program, *sizes, "--queues", table.MAIN.name, table.SIDE.name]
