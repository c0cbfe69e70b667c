"""Serving the application: one process, its socket, and how it ends."""

from __future__ import annotations

import gc
import socket

import uvicorn

from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.web.app import create_app

#: Live pages hold connections open; a stop does not wait for people to close them.
_STOP_SECONDS = 3


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    The protocol is named because asyncio sets TCP_NODELAY only then, and without
    it every answer on a kept-alive connection waits 40 ms for a delayed
    acknowledgement.  Raises Misconfigured if the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Misconfigured(
            f"WEB_HOST={host!r} WEB_PORT={port}: {error.strerror or type(error).__name__}; "
            "is another process listening there?"
        ) from None
    bound.listen(2048)
    bound.setblocking(False)
    return bound


class Server(uvicorn.Server):
    """Leaves what was loaded at the start out of every later garbage collection.

    Those of the oldest generation would look through it again and again, and
    all requests would wait: 50 to 300 ms each time.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()


def serve(listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        create_app(),
        log_level="warning",
        log_config=None,  # log lines look like those of every other process
        access_log=False,  # addresses hold user ids and search terms
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings().web_trusted_proxies,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )
    Server(config).run(sockets=[listening])
