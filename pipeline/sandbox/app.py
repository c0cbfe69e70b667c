"""The sandbox as a web application, and how to serve it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import FrameType
from typing import NoReturn
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pipeline.sandbox import calendar, gmail, people, tasks
from pipeline.sandbox.batch import Batches
from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.composio import Composio
from pipeline.sandbox.control import Control
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.gate import Gate
from pipeline.sandbox.grants import Grants
from pipeline.sandbox.microsoft.graph import Microsoft
from pipeline.sandbox.oauth import OAuth
from pipeline.sandbox.push import calendar as calendar_push
from pipeline.sandbox.push import gmail as gmail_push
from pipeline.sandbox.push.deliverer import Deliverer
from pipeline.sandbox.push.topics import Topic, Topics
from pipeline.sandbox.quotas import Quotas
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.signing import Signer
from pipeline.sandbox.store import Store
from pipeline.sandbox.usage import Usage

#: Logged by uvicorn when a response is left unfinished, which is what a `drop` fault means to do.
_EXPECTED_LOG = "ASGI callable returned without completing response."


_API_METHODS = (
    *(calendar.METHODS, gmail.METHODS, people.METHODS, tasks.METHODS),
    *(calendar_push.METHODS, gmail_push.METHODS),
)


class _ProviderApi:
    """An ASGI application for every path that is not control's."""

    def __init__(self, store: Store, gate: Gate, microsoft: Microsoft) -> None:
        self._store, self._gate, self._microsoft = store, gate, microsoft

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = Call(
            store=self._store,
            verb=request.method,
            path=scope["raw_path"].decode("latin-1"),
            query=parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True),
            headers=dict(request.headers),
            body=await request.body(),
            base_url=str(request.base_url).rstrip("/"),
        )
        answer = self._microsoft.answer if Microsoft.owns(call.path) else self._gate.answer
        reply = await run_in_threadpool(answer, call)
        try:
            await _send(send, reply)
        finally:
            if reply.on_sent is not None:
                reply.on_sent()


async def _send(send: Send, reply: Reply) -> None:
    if reply.delay_seconds:
        await asyncio.sleep(reply.delay_seconds)
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode(), value.encode("latin-1")) for name, value in reply.headers),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.cut_at_bytes is None:
        await send({"type": "http.response.body", "body": reply.body})
        return
    # At least one byte stays unsent, so that the client sees a broken answer, not a short one.
    part = reply.body[: min(reply.cut_at_bytes, len(reply.body) - 1)]
    await send({"type": "http.response.body", "body": part, "more_body": True})


def create_app(store: Store, settings: Settings | None = None) -> Starlette:
    """The sandbox over `store`.  `settings` replace those that the store has saved.

    Pushes are delivered from the application's start to its end (ASGI lifespan).
    """
    if settings is not None:
        settings.save(store.database)
    grants, usage, faults = Grants(store), Usage(), Faults()
    quotas, oauth = Quotas(store.clock), OAuth(store, grants)
    gate = Gate(grants, quotas, faults, usage)
    for methods in (oauth.methods(), *_API_METHODS):
        gate.add(methods)
    gate.add(Batches(partial(gate.answer, in_batch=True), quotas).methods())
    gate.add(Composio(store, grants, gate.answer).methods())
    microsoft = Microsoft(store, quotas, faults, usage)
    gate.add(microsoft.identity.methods())
    deliverer = Deliverer(store, Signer(store), faults)
    control = Control(store, grants, quotas, faults, usage, oauth, deliverer, microsoft)

    @asynccontextmanager
    async def delivering(_app: Starlette) -> AsyncIterator[None]:
        deliverer.start()
        yield
        await run_in_threadpool(deliverer.stop)

    provider = Route("/{path:path}", _ProviderApi(store, gate, microsoft))
    return Starlette(routes=[*control.routes(), provider], lifespan=delivering)


class _ExpectedLogs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.getMessage() != _EXPECTED_LOG


def make_server(store: Store, *, access_log: bool = False) -> uvicorn.Server:
    """A server that stops at once when told to; give it sockets with `bind`."""
    logging.getLogger("uvicorn.error").addFilter(_ExpectedLogs())
    config = uvicorn.Config(
        create_app(store),
        log_level="info" if access_log else "warning",
        access_log=access_log,
        lifespan="on",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    return uvicorn.Server(config)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    The protocol is named because asyncio sets TCP_NODELAY only then, and without it every
    answer on a kept-alive connection waits 40 ms for a delayed acknowledgement.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.listen(2048)
    bound.setblocking(False)
    return bound


@contextmanager
def running(data_path: str = ":memory:") -> Iterator[str]:
    """A sandbox in a thread of this process, on a free port; yields its base URL."""
    bound = bind("127.0.0.1", 0)
    store = Store(data_path)
    server = make_server(store)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="sandbox")
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
        store.close()


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def serve(
    host: str,
    port: int,
    data_path: str,
    *,
    topics: Sequence[Topic] = (),
    access_log: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then exit with 0.

    `data_path` is the SQLite file that keeps everything, or ":memory:"; `topics` are added to
    those that it has.  Raises OSError when the port is taken.
    """
    bound = bind(host, port)
    store = Store(data_path)
    for topic in topics:
        Topics(store.database).put(topic)
    # uvicorn raises the signal again once it has stopped: that is the way out.
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    try:
        make_server(store, access_log=access_log).run(sockets=[bound])
    finally:
        store.close()
