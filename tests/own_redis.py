"""A Redis that a test may stop, starve and kill, and the clients of this process on it."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from redis import Redis

from pipeline import embedded
from pipeline.config import settings
from pipeline.stores import impatient_redis_client, patient_redis_client


class OwnRedis:
    """One Redis server, with an append-only file like that of any deployment."""

    def __init__(self, folder: Path) -> None:
        self._running = embedded.start(folder, ["redis"])
        # With everysec, which may lose a second, Redis may keep a write to itself for so long.
        self.client.config_set("appendfsync", "no")

    @property
    def url(self) -> str:
        """Where it is."""
        return self._running.settings["REDIS_URL"]

    @property
    def process(self) -> psutil.Process:
        """Its process."""
        return psutil.Process(self._running.pid("redis"))

    @property
    def client(self) -> Redis:
        """A client of the test's own, for what operators do to it."""
        return Redis.from_url(self.url, socket_timeout=10)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Have it not answer, while connections to it stay open."""
        process = self.process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Have it end, and come back with what is in its append-only file."""
        process = self.process
        process.kill()
        process.wait(10)
        try:
            yield
        finally:
            self._running.revive()

    @contextmanager
    def out_of_memory(self) -> Iterator[None]:
        """Have it refuse what needs memory."""
        self.client.config_set("maxmemory", "1kb")
        try:
            yield
        finally:
            self.client.config_set("maxmemory", "0")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Have it refuse all writes, like a primary that has just become a replica."""
        self.client.replicaof("127.0.0.1", "1")  # where nobody answers
        try:
            yield
        finally:
            self.client.replicaof("no", "one")

    def close(self) -> None:
        """End it."""
        self._running.stop()


@contextmanager
def talking_to(redis: OwnRedis, settings_too: Mapping[str, str] | None = None) -> Iterator[None]:
    """Let the clients of this process, and processes that it starts, talk to `redis`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"REDIS_URL": redis.url, **(settings_too or {})}.items():
            patch.setenv(name, value)
        settings.cache_clear()
        _forget_clients()
        yield
    settings.cache_clear()
    _forget_clients()


def _forget_clients() -> None:
    for client in (patient_redis_client, impatient_redis_client):
        of_process: Callable[..., Redis] = inspect.getclosurevars(client).nonlocals["of_process"]
        of_process.cache_clear()  # type: ignore[attr-defined]
