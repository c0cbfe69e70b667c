"""One run of `headrace up`: starts what is missing, and stops all of it again."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from models import SyncState
from pipeline import embedded
from pipeline.cli.up.children import children, families
from pipeline.cli.up.demo import DemoUsers
from pipeline.cli.up.environment import (
    MetricsPorts,
    SandboxPorts,
    key_settings,
    missing_servers,
    remove_env,
    sandbox_settings,
    wants_sandbox,
    web_settings,
    write_env,
)
from pipeline.cli.up.events import Events
from pipeline.cli.up.watch import Watch
from pipeline.config import settings
from pipeline.embedded.files import FileLock, private_folder
from pipeline.errors import Misconfigured, Transient
from pipeline.probes import problems
from pipeline.startup import check_stores
from pipeline.stores import collection
from pipeline.sync import states


class Session:
    """Everything that runs.  As a context manager it starts and stops it.

    Started twice with the same data folder, the second one raises Misconfigured.
    """

    def __init__(self, data_dir: Path, demo: int | None, events: Events, *, sync_all: bool) -> None:
        """`demo` is how many demo users to have; `sync_all` makes everybody due at the start."""
        self.data_dir = data_dir
        self.events = events
        self.started_at = datetime.now(UTC)
        self.settings: dict[str, str] = {}
        self.metrics: MetricsPorts
        self.servers: embedded.Running
        self.supervisor: embedded.Supervisor
        self.watch = Watch(self.started_at)
        self.demo: DemoUsers | None = None
        self.sandbox_ports: SandboxPorts | None = None
        self.phase: Literal["starting", "running", "stopping"] = "starting"
        self._demo_count = demo
        self._sync_all = sync_all
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with self._cleanup:  # undoes what was done, should the rest fail
            self._take_the_folder()
            self._start_servers()
            self._publish_settings()
            self._check_stores()
            if self._sync_all:
                self._request_all()
            self._cleanup.callback(self.supervisor.stop)
            self.supervisor.start()
            self._start_demo()
            self.watch.start()
            self._cleanup.callback(self.watch.stop)
            self._cleanup = self._cleanup.pop_all()
        self.phase = "running"
        return self

    def __exit__(self, *_: object) -> None:
        self.phase = "stopping"
        self.events.tell("up", "stopping")
        self._cleanup.close()

    def keep_alive(self) -> None:
        """Start again the servers that have ended.  Children are kept by the supervisor."""
        exited = self.servers.exited()
        for name in exited:
            self.events.tell(name, "ended by itself; starts again")
        if exited:
            self.servers.revive()

    @property
    def has_sandbox(self) -> bool:
        """Whether Google is a sandbox, whose truth can be compared with."""
        return self.sandbox_ports is not None or self.demo is not None

    def is_ready(self) -> bool:
        """Return whether all demo users are connected.  Raises why they cannot be."""
        return self.demo is None or self.demo.are_ready()

    def _take_the_folder(self) -> None:
        private_folder(self.data_dir)
        lock = FileLock(self.data_dir / "up.lock")
        if not lock.acquire(within_seconds=0):
            raise Misconfigured(
                f"`headrace up` runs already with {self.data_dir}: "
                "stop it first, or give this one another --data-dir"
            )
        self._cleanup.callback(lock.release)

    def _start_servers(self) -> None:
        self.servers = embedded.start(self.data_dir, missing_servers(), on_event=self.events.tell)
        self._cleanup.callback(self.servers.stop)

    def _publish_settings(self) -> None:
        """Let this process, its children and every other command find what was started."""
        ports = self.servers.ports
        self.metrics = MetricsPorts.choose(ports, [family.name for family in families()])
        sandboxed = wants_sandbox(self.data_dir, demo=self._demo_count is not None)
        self.sandbox_ports = SandboxPorts.choose(ports) if sandboxed else None
        self.settings = {
            **self.servers.settings,
            **(sandbox_settings(self.sandbox_ports) if self.sandbox_ports else {}),
            **key_settings(self.data_dir),
            **self.metrics.settings,
            **web_settings(ports),
        }
        write_env(self.data_dir, self.settings)
        self._cleanup.callback(remove_env, self.data_dir)
        os.environ.update(self.settings)
        settings.cache_clear()
        made = children(self.data_dir, self.settings, self.metrics, self.sandbox_ports)
        self.supervisor = embedded.Supervisor(self.data_dir, made, on_event=self.events.tell)

    def _check_stores(self) -> None:
        """Raise Transient or Misconfigured at once if what the environment names cannot be used."""
        found = problems()
        for name in ("mongodb", "redis"):
            if problem := found[name]:
                raise Transient(problem)
        if problem := found["graph"]:
            self.events.tell("graph", f"{problem}; it will catch up once it does")
        check_stores()

    def _request_all(self) -> None:
        """Make every user due: what changed while nothing ran is not known."""
        for state in collection(SyncState).find({}, {"user_id": 1, "source": 1}):
            states.request(state["user_id"], state["source"])

    def _start_demo(self) -> None:
        if self._demo_count is None:
            return
        self.demo = DemoUsers(
            settings().google_api_base_url,
            self._demo_count,
            self.events.tell,
            # Whose answers would come in while all is compared, and nobody would see it.
            with_campaign=not self._sync_all,
        )
        self.demo.start()
        self._cleanup.callback(self.demo.stop)
