"""The ASGI application: every part's routes behind what stands before all of them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.stores import impatience
from pipeline.web import api, connect, health, outreach_links, samples, webhooks
from pipeline.web.access import sign_in
from pipeline.web.access.bodies import BodyLimit
from pipeline.web.access.headers import SecurityHeaders, headers_for
from pipeline.web.access.middleware import SameOrigin, SignedIn
from pipeline.web.admin import (
    ai,
    audit,
    dead_letters,
    job,
    jobs,
    overview,
    queue,
    schedules,
    search,
    settings,
    subscriptions,
    users,
    workers,
)
from pipeline.web.admin.mailboxes import parts as mailboxes
from pipeline.web.admin.outreach import parts as outreach
from pipeline.web.admin.outreach.imports import MOST_BYTES, UPLOADS
from pipeline.web.live import live_route
from pipeline.web.pages import PageRoute, error_page
from pipeline.web.paths import KeepSlashes
from pipeline.web.stores import prober
from pipeline.web.templating import compile_all

STATIC = Path(__file__).parent / "static"

#: The parts, each of which has `routes`.
_PARTS = (
    health,
    sign_in,
    api,
    overview,
    queue,
    jobs,
    job,
    dead_letters,
    users,
    search,
    mailboxes,
    outreach,
    ai,
    schedules,
    workers,
    subscriptions,
    audit,
    settings,
    connect,
    webhooks,
    outreach_links,
)
#: The longest bodies where forms are not all that is sent.
_MOST_BYTES = {"/api/v1/": sys.maxsize, "/webhooks/": sys.maxsize, UPLOADS: MOST_BYTES}
#: What runs beside the requests, for as long as the application does.
_LIFESPANS = (samples.lifespan, webhooks.lifespan, outreach_links.lifespan)


class Impatient:
    """Has stores give up within seconds while a request is served: somebody waits for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        with impatience():
            await self._app(scope, receive, send)


class Static(StaticFiles):
    """Files that browsers keep but ask about: after an upgrade they are the new ones."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _routes() -> list[BaseRoute]:
    of_parts = [route for part in _PARTS for route in part.routes]
    return [
        Route("/", _to_the_admin, methods=["GET"]),
        Route("/admin", _to_the_admin, methods=["GET"]),
        Mount("/static", Static(directory=STATIC)),
        *of_parts,
        live_route([route for route in of_parts if isinstance(route, PageRoute)]),
    ]


def create_app() -> Starlette:
    """Return the application.  Opens no store before the first request."""
    return Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Impatient),
            Middleware(SecurityHeaders),
            # These have limits of their own, and refuse in their own words.
            Middleware(BodyLimit, by_prefix=_MOST_BYTES),
            Middleware(SignedIn),
            Middleware(SameOrigin),
            Middleware(KeepSlashes),
        ],
        exception_handlers={HTTPException: _refused, Exception: _failed},  # type: ignore[dict-item]
        lifespan=_lifespan,
    )


async def _to_the_admin(_request: Request) -> Response:
    return RedirectResponse("/admin/queues")


async def _refused(request: Request, error: HTTPException) -> Response:
    """Answer what frameworks refuse: to people with a page, to programs with a line."""
    if "text/html" in request.headers.get("accept", ""):
        response: Response = error_page(error.status_code, _said(error))
    else:
        response = PlainTextResponse(f"{_said(error)}\n", error.status_code)
    response.headers.update(error.headers or {})
    return response


def _said(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this address."
    if error.status_code == 405:
        return "This address does not take that method."
    return error.detail


async def _failed(request: Request, _error: Exception) -> Response:
    """Answer what nobody foresaw; the server logs it with its traceback.

    Comes from outside of all middleware, so it brings its own headers.
    """
    error = HTTPException(500, "Something unforeseen happened.", headers_for(request.scope))
    return await _refused(request, error)


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    await run_in_threadpool(_warm_up)
    async with AsyncExitStack() as stack:
        for lifespan in _LIFESPANS:
            await stack.enter_async_context(lifespan())
        yield


def _warm_up() -> None:
    """Do what the first request would else wait for."""
    compile_all()
    prober().health()
