"""Links in messages, for readers who need no account and mail programs that act for them.

    GET  /u/<token>   asks whether to unsubscribe; changes nothing: programs load links too
    POST /u/<token>   unsubscribes at once, by the page or one click (RFC 8058), or takes it back
    GET  /o/<token>   a picture that tells that the message was opened
    GET  /c/<token>   leads on to a link of the message

The pages work without scripts.  Nothing that a reader sees depends on what is counted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Route

from pipeline.web.outreach_links import following, unsubscribing
from pipeline.web.outreach_links.counting import counting

routes: list[BaseRoute] = [
    Route("/u/{token}", unsubscribing.ask, methods=["GET"], name="unsubscribe"),
    Route("/u/{token}", unsubscribing.act, methods=["POST"], name="unsubscribe.act"),
    Route("/o/{token}", following.opened, methods=["GET"], name="opened"),
    Route("/c/{token}", following.clicked, methods=["GET"], name="clicked"),
]


@asynccontextmanager
async def lifespan(_app: Starlette | None = None) -> AsyncIterator[None]:
    """Know the secret of links before a store is away, and count all visits before the end."""
    await run_in_threadpool(following.warm_up)
    yield
    await counting().drain()


__all__ = ["lifespan", "routes"]
