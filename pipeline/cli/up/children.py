"""The processes that `headrace up` keeps running, as they run in production."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.up.environment import MetricsPorts, SandboxPorts, sandbox_file
from pipeline.config import settings
from pipeline.embedded import Child
from pipeline.jobs.names import queues_with_jobs
from pipeline.queues import Queue

#: A process runs three syncs at a time; two keep the cores of a small machine busy.
_PROCESSES = 2
#: After the grace period a worker has this long to hand back what it still has.
_HAND_BACK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Family:
    """Worker processes under one `dramatiq` command: they live, and are restarted, together."""

    name: str
    queues: Sequence[Queue]
    processes: int

    @property
    def threads(self) -> int:
        """Threads per process: as many as its queues may run jobs at a time."""
        return sum(queue.concurrency for queue in self.queues)


def families() -> list[Family]:
    """Return who serves the queues that have jobs; those with `own_workers` share with nobody."""
    queues = queues_with_jobs()
    shared = [queue for queue in queues if not queue.own_workers]
    own = [Family(f"worker-{queue.name}", [queue], 1) for queue in queues if queue.own_workers]
    return [Family("worker", shared, _PROCESSES), *own]


def children(
    data_dir: Path,
    environment: Mapping[str, str],
    metrics: MetricsPorts,
    sandbox_ports: SandboxPorts | None,
) -> list[Child]:
    """Return the children in the order in which they start; they stop the other way round."""
    made = [_worker(family, metrics.workers[family.name], environment) for family in families()]
    made.append(Child("scheduler", [sys.executable, "-m", "scheduler"], dict(environment)))
    made.append(Child("web", [sys.executable, "-m", "pipeline.cli", "web"], dict(environment)))
    if sandbox_ports is not None:
        made.insert(0, _sandbox(data_dir, sandbox_ports))
    return made


def _worker(family: Family, metrics_port: int, environment: Mapping[str, str]) -> Child:
    stop_seconds = settings().shutdown_grace_seconds + _HAND_BACK_SECONDS
    queues = [queue.name for queue in family.queues]
    program = [sys.executable, "-m", "dramatiq", "actors", "-Q", *queues]
    size = ["-p", str(family.processes), "-t", str(family.threads)]
    return Child(
        family.name,
        [*program, *size],
        {**environment, "WORKER_METRICS_PORT": str(metrics_port)},
        stop_timeout_seconds=stop_seconds,
    )


def _sandbox(data_dir: Path, ports: SandboxPorts) -> Child:
    program = [sys.executable, "-m", "pipeline.sandbox"]
    where = ["--port", str(ports.http), "--smtp-port", str(ports.smtp)]
    return Child("sandbox", [*program, *where, "--data", str(sandbox_file(data_dir))])
