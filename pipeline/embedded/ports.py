"""Ports of this machine that are chosen once and then kept, so that addresses stay true."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from pipeline.embedded.files import locked, private_folder, read_json, write_private
from pipeline.errors import Misconfigured

LOOPBACK = "127.0.0.1"

#: Below every system's range for outgoing connections (Linux begins at 32768), so
#: no passing connection can sit on a port that is remembered.
_CANDIDATES = range(20000, 32000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: closed connections that linger do not count as occupied.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def taken_from(process: psutil.Process, ports: Iterable[int]) -> bool:
    """Return whether another process listens on one of the ports that `process` should have."""
    return any(not is_free(port) and port not in listening_ports(process) for port in ports)


def listening_ports(process: psutil.Process) -> set[int]:
    """Return the TCP ports on which `process` listens; none if it has ended."""
    try:
        connections = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


class Ports:
    """The ports of one data folder, remembered in its `ports.json`."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "ports.json"
        self._given: dict[str, int] = {}

    def port_for(self, name: str) -> int:
        """Return the port that `name` shall listen on.

        The remembered one, unless somebody else listens there: then another is
        chosen and remembered.  The answer stays the same for this object's life.
        Raises Misconfigured if no free port is found.
        """
        if name not in self._given:
            self._given[name] = self._choose(name)
        return self._given[name]

    def remembered(self, name: str) -> int | None:
        """Return the port of `name` without choosing one, also while it is in use."""
        port = read_json(self._path).get(name)
        return port if isinstance(port, int) else None

    def forget_if_taken(self, name: str) -> bool:
        """Let `port_for` choose again if the port is in use; return whether it is."""
        port = self._given.get(name)
        if port is None or is_free(port):
            return False
        del self._given[name]
        return True

    def _choose(self, name: str) -> int:
        private_folder(self._path.parent)
        lock = self._path.with_suffix(".lock")
        with locked(lock, within_seconds=10, busy=f"{lock} is held by another process"):
            remembered = read_json(self._path)
            port = remembered.get(name)
            if not (isinstance(port, int) and is_free(port)):
                port = self._free_port(set(remembered.values()))
                write_private(self._path, json.dumps({**remembered, name: port}, indent=2))
        return port

    @staticmethod
    def _free_port(taken: set[int]) -> int:
        for candidate in random.sample(_CANDIDATES, _TRIES):
            if candidate not in taken and is_free(candidate):
                return candidate
        raise Misconfigured(f"No free port between {_CANDIDATES.start} and {_CANDIDATES.stop}.")
