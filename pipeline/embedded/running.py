"""Starting several servers at once, and holding them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from pipeline.embedded.files import locked, private_folder
from pipeline.embedded.graph import GraphServer
from pipeline.embedded.lifecycle import Instance, OnEvent, Starter
from pipeline.embedded.mongodb import MongoDBServer
from pipeline.embedded.ports import Ports
from pipeline.embedded.processes import is_alive
from pipeline.embedded.redis import RedisServer
from pipeline.embedded.server import FindPackage, Server, package_folder
from pipeline.errors import Misconfigured

# In the order in which they stop: what is derived first, the source of truth last.
_KINDS: dict[str, type[Server]] = {
    kind.name: kind for kind in (GraphServer, RedisServer, MongoDBServer)
}
ALL = ("redis", "mongodb", "graph")

#: A start takes 1 to 3 s; a replay of a large journal after a kill takes longer.
READY_WITHIN_SECONDS = 120.0


class Running:
    """Servers that answered when they were started; as a context manager it stops them."""

    def __init__(
        self,
        data_dir: Path,
        ports: Ports,
        instances: dict[str, Instance],
        start_one: Callable[[str], Instance],
    ) -> None:
        self.ports = ports
        self._data_dir = data_dir
        self._instances = instances
        self._start_one = start_one

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which clients reach the servers, by environment variable.

        They stay what they were after `stop`, and are the same after the next start.
        """
        return {
            name: value
            for instance in self._instances.values()
            for name, value in instance.settings.items()
        }

    @property
    def adopted(self) -> list[str]:
        """The servers that ran already, and that `stop` leaves alone."""
        return [name for name, instance in self._instances.items() if instance.adopted]

    def pid(self, name: str) -> int:
        """Return the process id of a server."""
        return self._instances[name].process.pid

    def exited(self) -> list[str]:
        """Return the servers whose process has ended since."""
        return [
            name for name, instance in self._instances.items() if not is_alive(instance.process)
        ]

    def revive(self) -> list[str]:
        """Start again what has exited, on the same ports and data; return the names.

        Raises what `start` raises.
        """
        with _the_only_one(self._data_dir):
            exited = self.exited()
            for name in exited:
                self._instances[name].stop()  # what is left of its session
                self._instances[name] = self._start_one(name)
        return exited

    def stop(self, *, adopted: bool = False) -> list[str]:
        """Stop the servers one after the other, also the adopted ones if asked.

        Each gets SIGTERM, and is killed after 20 s.  Returns the names of those
        that had to be killed.  A second call does nothing.
        """
        killed = []
        with _the_only_one(self._data_dir):
            for name in [name for name in _KINDS if name in self._instances]:
                mine = adopted or not self._instances[name].adopted
                if mine and not self._instances[name].stop():
                    killed.append(name)
        return killed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


def start(
    data_dir: Path,
    which: Collection[str] = ALL,
    *,
    on_event: OnEvent | None = None,
    find_package: FindPackage = package_folder,
    ready_within_seconds: float = READY_WITHIN_SECONDS,
) -> Running:
    """Start the servers in `which` at the same time; return when each has answered a query.

    `data_dir` keeps everything.  A server that runs there already is adopted; a
    second start waits for the first.  `on_event(name, text)` tells what happens.

    Raises Misconfigured if this machine lacks a program or something else stands
    in the way, DidNotStart (one of its kind) with the last log lines if a server
    fails.  After an error nothing that this call started is left running.
    """
    if sys.platform == "win32":
        raise Misconfigured(
            "No embedded servers for Windows: set REDIS_URL, MONGODB_URI and GRAPH_URI."
        )
    if unknown := sorted(set(which) - set(_KINDS)):
        raise Misconfigured(f"No embedded server is called {unknown[0]!r}: {', '.join(ALL)}.")
    data_dir = private_folder(data_dir.absolute())
    ports = Ports(data_dir)
    cancelled = threading.Event()
    tell = _one_at_a_time(on_event)

    def start_one(name: str) -> Instance:
        server = _KINDS[name](data_dir, find_package)
        return Starter(server, ports, tell, ready_within_seconds, cancelled).adopt_or_start()

    with _the_only_one(data_dir):
        instances = _all_or_none(sorted(set(which)), start_one, cancelled)
    return Running(data_dir, ports, instances, start_one)


def _all_or_none(
    names: list[str], start_one: Callable[[str], Instance], cancelled: threading.Event
) -> dict[str, Instance]:
    with ThreadPoolExecutor(max_workers=len(_KINDS), thread_name_prefix="start") as pool:
        futures = {name: pool.submit(start_one, name) for name in names}
        try:
            for first_done in as_completed(futures.values()):
                first_done.result()
        except BaseException:
            cancelled.set()
            wait(futures.values())
            _stop_started(futures.values())
            raise
    return {name: future.result() for name, future in futures.items()}


def _stop_started(futures: Collection[Future[Instance]]) -> None:
    for future in futures:
        if future.exception() is None and not future.result().adopted:
            future.result().stop()


def _the_only_one(data_dir: Path) -> AbstractContextManager[None]:
    return locked(
        data_dir / "lock",
        within_seconds=READY_WITHIN_SECONDS + 60,
        busy=f"Another process is starting or stopping the servers of {data_dir}.",
    )


def _one_at_a_time(on_event: OnEvent | None) -> OnEvent:
    turn = threading.Lock()

    def tell(name: str, text: str) -> None:
        if on_event is not None:
            with turn:
                on_event(name, text)

    return tell
