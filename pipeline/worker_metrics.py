"""The worker's /metrics: one port for all processes that one `dramatiq` master forks.

prometheus_client keeps the numbers of several processes in files of a shared
folder.  It decides on import whether to do so, hence `use_shared_folder` must
run before anything imports it.
https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def use_shared_folder() -> None:
    """Name and make the folder that the processes of one master share.

    It bears the master's process id and start: its children find the same one,
    the next master another.
    """
    master = f"{os.getppid()}-{_start_of(os.getppid())}"
    folder = Path(tempfile.gettempdir()) / f"headrace-metrics-{os.getuid()}-{master}"
    os.environ.setdefault(FOLDER_VARIABLE, str(folder))
    Path(os.environ[FOLDER_VARIABLE]).mkdir(mode=0o700, parents=True, exist_ok=True)


def _start_of(process_id: int) -> str:
    """Return when a process started, in ticks since the machine did; 0 where /proc is not there.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return fields[19]


def serve() -> int:
    """Serve /metrics until the master says to stop; returns the exit code of the process."""
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    from pipeline.config import settings

    use_shared_folder()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda _number, _frame: stop.set())
    port = settings().worker_metrics_port
    if port:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        try:
            start_http_server(port, settings().metrics_host, registry)
        except OSError as error:
            sys.stderr.write(
                f"WORKER_METRICS_PORT={port}: {error.strerror}; metrics are not served\n"
            )
    stop.wait()
    shutil.rmtree(os.environ[FOLDER_VARIABLE], ignore_errors=True)
    return 0
