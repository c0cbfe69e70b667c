"""Where it runs: embedded stores, a sandbox, and the web as `headrace web` serves it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from pipeline import embedded
from pipeline.cli.up.environment import PUBSUB_TOPIC, SandboxPorts, sandbox_settings
from pipeline.clients.keyring import new_key
from pipeline.config import settings
from pipeline.jobs.names import queues_with_jobs
from pipeline.sandbox.client import SandboxClient
from pipeline.startup import check_stores

Log = Callable[[str], None]

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """What the measures work with: the web's address, the sandbox, and where to write."""

    url: str
    sandbox: SandboxClient
    folder: Path
    log: Log

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Run workers of all queues, as `headrace up` does."""
        dramatiq = [sys.executable, "-m", "dramatiq", "actors", "-p", "1"]
        queues = queues_with_jobs()
        shared = [*dramatiq, "-t", "8", "-Q", *(q.name for q in queues if not q.own_workers)]
        own = [*dramatiq, "-t", "4", "-Q", *(q.name for q in queues if q.own_workers)]
        with _running(shared, self.folder / "worker.log"), _running(own, self.folder / "own.log"):
            yield


@contextmanager
def stage(folder: Path, log: Log, others: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """Start it all, and point the settings of this process and its children at it.

    `others` are settings that matter to what is to be seen, by their variables.
    """
    log("starting MongoDB, Redis, the graph, the sandbox and the web")
    with embedded.start(folder) as running:
        ports = running.ports
        sandbox_ports, web_port = SandboxPorts.choose(ports), ports.port_for("web")
        url = f"http://127.0.0.1:{web_port}"
        os.environ.update(
            {
                **running.settings,
                **sandbox_settings(sandbox_ports),
                "HEADRACE_DATA_DIR": str(folder),
                "ENCRYPTION_KEYS": new_key(),
                "PUBLIC_BASE_URL": url,
                "WEB_PORT": str(web_port),
                "WORKER_METRICS_PORT": "0",
                **(others or {}),
            }
        )
        settings.cache_clear()
        data = str(folder / "sandbox.sqlite3")
        asked = [sys.executable, "-m", "pipeline.sandbox", "--data", data]
        where = ["--port", str(sandbox_ports.http), "--smtp-port", str(sandbox_ports.smtp)]
        with _running([*asked, *where], folder / "sandbox.log"):
            sandbox = SandboxClient(settings().google_api_base_url)
            _until(lambda: bool(sandbox.health()))
            sandbox.settings(quotas_enabled=False)
            sandbox.topic(PUBSUB_TOPIC, f"{url}/webhooks/google/gmail")
            check_stores()
            with _running([sys.executable, "-m", "pipeline.cli", "web"], folder / "web.log"):
                _until(lambda: requests.get(f"{url}/readyz", timeout=5).ok)
                yield Stage(url, sandbox, folder, log)


@contextmanager
def _running(command: Sequence[str], log_file: Path) -> Iterator[None]:
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _until(ready: Callable[[], bool]) -> None:
    """Wait until `ready`; its OSErrors mean not yet.  Raises TimeoutError."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(_POLL_SECONDS)
    raise TimeoutError("it did not start; see the logs in the folder of this run")
