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
from typing import NoReturn, Protocol
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pipeline.sandbox import calendar, gmail, people, tasks
from pipeline.sandbox.ai.chat import Chat
from pipeline.sandbox.batch import Batches
from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.composio import Composio
from pipeline.sandbox.control import Control
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.gate import Gate
from pipeline.sandbox.grants import Grants
from pipeline.sandbox.microsoft.graph import Microsoft
from pipeline.sandbox.oauth import OAuth
from pipeline.sandbox.outreach.acting import Acting
from pipeline.sandbox.outreach.sendgrid.api import SendGrid
from pipeline.sandbox.outreach.twilio import Twilio
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


class Provider(Protocol):
    """A provider that answers what is asked under paths of its own."""

    def owns(self, path: str) -> bool:
        """Whether a path is this provider's."""

    def answer(self, call: Call) -> Reply:
        """Answer a call to such a path."""


class _ProviderApi:
    """An ASGI application for every path that is not control's."""

    def __init__(self, store: Store, gate: Gate, others: Sequence[Provider]) -> None:
        self._store, self._gate, self._others = store, gate, others

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
        owner = next((other for other in self._others if other.owns(call.path)), None)
        answer = self._gate.answer if owner is None else owner.answer
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


def create_app(
    store: Store, settings: Settings | None = None, smtp_port: int | None = None
) -> Starlette:
    """The sandbox over `store`.  `settings` replace those that the store has saved.

    Pushes are delivered, and recipients act, from the application's start to its end (ASGI
    lifespan).
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
    acting, sendgrid = Acting(store), SendGrid(store, faults, usage)
    chat = Chat(faults, usage)
    control = Control(
        *(store, grants, quotas, faults, usage, oauth, deliverer, microsoft, acting, sendgrid),
        chat,
    )
    twilio = Twilio(store, faults)
    gate.add(twilio.methods())
    running_parts = (deliverer, sendgrid.pusher, twilio.posts, acting)

    @asynccontextmanager
    async def delivering(_app: Starlette) -> AsyncIterator[None]:
        for part in running_parts:
            part.start()
        async with _mail_server(smtp_port, store, faults, usage):
            yield
        for part in reversed(running_parts):
            await run_in_threadpool(part.stop)

    provider = Route("/{path:path}", _ProviderApi(store, gate, (microsoft, sendgrid, chat)))
    return Starlette(routes=[*control.routes(), provider], lifespan=delivering)


@asynccontextmanager
async def _mail_server(
    port: int | None, store: Store, faults: Faults, usage: Usage
) -> AsyncIterator[None]:
    """Serve SMTP on this port of this machine, unless it is None."""
    if port is None:
        yield
        return
    from pipeline.sandbox.outreach.smtp import MailServer

    server = MailServer(store, faults, usage)
    await server.start("127.0.0.1", port)
    try:
        yield
    finally:
        server.stop()


class _ExpectedLogs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.getMessage() != _EXPECTED_LOG


def make_server(
    store: Store, *, smtp_port: int | None = None, access_log: bool = False
) -> uvicorn.Server:
    """A server that stops at once when told to; give it sockets with `bind`."""
    logging.getLogger("uvicorn.error").addFilter(_ExpectedLogs())
    config = uvicorn.Config(
        create_app(store, smtp_port=smtp_port),
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
def running(data_path: str = ":memory:", smtp_port: int | None = None) -> Iterator[str]:
    """A sandbox in a thread of this process, on a free port; yields its base URL."""
    bound = bind("127.0.0.1", 0)
    store = Store(data_path)
    server = make_server(store, smtp_port=smtp_port)
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
    smtp_port: int | None = None,
    access_log: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then exit with 0.

    `data_path` is the SQLite file that keeps everything, or ":memory:"; `topics` are added to
    those that it has; on `smtp_port` it takes mail.  Raises OSError when the port is taken.
    """
    bound = bind(host, port)
    store = Store(data_path)
    for topic in topics:
        Topics(store.database).put(topic)
    # uvicorn raises the signal again once it has stopped: that is the way out.
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    try:
        make_server(store, smtp_port=smtp_port, access_log=access_log).run(sockets=[bound])
    finally:
        store.close()
