"""A small HTTP server that takes pushes, as a client's web does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from waiting import wait_until


@dataclass(frozen=True)
class Received:
    """One request; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def validation_token(self) -> str | None:
        """What Microsoft asks to be echoed before it makes a subscription."""
        tokens = parse_qs(urlsplit(self.path).query).get("validationToken")
        return None if tokens is None else tokens[0]

    @property
    def notices(self) -> list[dict[str, Any]]:
        """What Microsoft tells of, one or more at once."""
        return list(self.envelope["value"])

    @property
    def state(self) -> str:
        return self.headers["x-goog-resource-state"]

    @property
    def channel(self) -> str:
        return self.headers["x-goog-channel-id"]

    @property
    def number(self) -> int:
        return int(self.headers["x-goog-message-number"])

    @property
    def envelope(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def data(self) -> dict[str, Any]:
        return dict(json.loads(base64.urlsafe_b64decode(self.envelope["message"]["data"])))

    @property
    def token(self) -> str:
        return self.headers["authorization"].removeprefix("Bearer ")


class Receiver:
    """Keeps what it gets; `answer` says with which status, and may wait.

    `echo` makes the answer to a question of Microsoft's of its token; such are kept in `asked`.
    """

    def __init__(self) -> None:
        self.asked: list[Received] = []
        self.echo: Callable[[str], str] = lambda token: token
        self.received: list[Received] = []
        self.answer: Callable[[Received], int] = lambda _: 204
        self.url = ""
        #: Set once a request hangs.
        self.hanging = threading.Event()

    def answer_with(self, *statuses: int) -> None:
        """Answer with these statuses one after the other, and with 204 from then on."""
        left = list(statuses)
        self.answer = lambda _: left.pop(0) if left else 204

    def hang_on(self, path: str) -> Callable[[], None]:
        """Leave requests to `path` without an answer until the returned function is called."""
        released = threading.Event()

        def answer(push: Received) -> int:
            if push.path == path:
                self.hanging.set()
                released.wait(10)
            return 204

        self.hanging.clear()
        self.answer = answer
        return released.set

    def wait_for(self, count: int) -> list[Received]:
        wait_until(lambda: len(self.received) >= count, f"{count} pushes", every_seconds=0.005)
        return list(self.received)

    @property
    def states(self) -> list[str]:
        return [push.state for push in self.received]


@contextmanager
def listening() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            push = Received(self.path, headers, body)
            token = push.validation_token
            if token is not None:
                receiver.asked.append(push)
                self._send(200, receiver.echo(token).encode())
                return
            status = receiver.answer(push)
            receiver.received.append(push)
            self._send(status)

        def _send(self, status: int, text: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("content-type", "text/plain")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            if text:
                self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
