"""The processes that `headrace up` keeps running, as they run in production."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.cli.up.environment import MetricsPorts, sandbox_file
from pipeline.embedded import Child
from pipeline.queues import DATA_SYNC, GRAPH

#: A worker gives running jobs this long to end; what they had not landed is done again.
_LAST_JOBS_MS = 10_000
_STOP_SECONDS = 20.0

_SYNC_THREADS = 8
_GRAPH_THREADS = 4


def children(
    data_dir: Path, settings: Mapping[str, str], metrics: MetricsPorts, sandbox_port: int | None
) -> list[Child]:
    """Return the children in the order in which they start; they stop the other way round."""
    made = [
        _worker("worker-sync", DATA_SYNC.name, _SYNC_THREADS, metrics.worker_sync, settings),
        _worker("worker-graph", GRAPH.name, _GRAPH_THREADS, metrics.worker_graph, settings),
        Child("scheduler", [sys.executable, "-m", "scheduler"], dict(settings)),
    ]
    if sandbox_port is not None:
        made.insert(0, _sandbox(data_dir, sandbox_port))
    return made


def _worker(
    name: str, queue: str, threads: int, metrics_port: int, settings: Mapping[str, str]
) -> Child:
    program = [sys.executable, "-m", "dramatiq", "actors", "-Q", queue]
    size = ["-p", "1", "-t", str(threads), "--worker-shutdown-timeout", str(_LAST_JOBS_MS)]
    return Child(
        name,
        [*program, *size],
        {**settings, "WORKER_METRICS_PORT": str(metrics_port)},
        stop_timeout_seconds=_STOP_SECONDS,
    )


def _sandbox(data_dir: Path, port: int) -> Child:
    program = [sys.executable, "-m", "pipeline.sandbox"]
    return Child("sandbox", [*program, "--port", str(port), "--data", str(sandbox_file(data_dir))])
