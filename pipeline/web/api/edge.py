"""What every request to the API goes through, before it reaches a route and after."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import pymongo
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.jobs.current import correlate
from pipeline.web.api.bodies import expected
from pipeline.web.api.callers import sign_in
from pipeline.web.api.problems import Refused, answer
from pipeline.web.api.refusals import refusal_of, too_large
from pipeline.web.stores import PATIENCE_SECONDS

log = logging.getLogger(__name__)

#: Answered to everybody: it says what can be asked, and holds no data.
_PUBLIC = ("/openapi.json",)
_MOST_CORRELATION = 64
#: A percent sign that is not followed by two hex digits.
_BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


class Edge:
    """Checks what a request is made of, finds out who calls, and answers errors as problems."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation_id = _correlation_id(headers)
        scope["state"] = {**scope.get("state", {}), "correlation_id": correlation_id}
        answering = _Answering(send, correlation_id)
        began = time.monotonic()
        try:
            limited = _Limited(receive, expected(scope).most_bytes)
            await self._served(scope, headers, limited, answering)
        except Exception as error:
            if answering.status:
                raise
            await answer(refusal_of(error), correlation_id)(scope, receive, answering)
        _log_request(scope, answering.status, time.monotonic() - began)

    async def _served(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        state = scope["state"]
        check_request(scope, headers)
        if scope["path"].removeprefix(scope.get("root_path", "")) not in _PUBLIC:
            authorization = headers.get("authorization", "")
            state["caller"] = await run_in_threadpool(_signed_in, authorization)
        with correlate(state["correlation_id"]), pymongo.timeout(PATIENCE_SECONDS):
            await self._app(scope, receive, send)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log what was asked for by the pattern of its route: ids in paths may be personal."""
    route, caller = scope.get("route"), scope["state"].get("caller")
    log.info(
        "API request",
        extra={
            "method": scope["method"],
            "route": route.path_format if route else "",
            "status": status,
            "ms": round(seconds * 1000),
            "token": caller.name if caller else "",
            "correlation_id": scope["state"]["correlation_id"],
        },
    )


def _signed_in(authorization: str) -> Any:
    with pymongo.timeout(PATIENCE_SECONDS):
        return sign_in().caller(authorization)


def _correlation_id(headers: Mapping[str, str]) -> str:
    """Return the id that the caller gave, if it can stand in a log line, or a new one."""
    given = headers.get("x-correlation-id", "")
    usable = given.isascii() and given.isprintable() and len(given) <= _MOST_CORRELATION
    return given if given and usable else secrets.token_hex(8)


def check_request(scope: Scope, headers: Mapping[str, str]) -> None:
    """Raise Refused for a path or query that is no text, and for a body that is not for us."""
    for what in ("path", "query"):
        raw = scope.get("raw_path" if what == "path" else "query_string") or b""
        if _BAD_ESCAPE.search(raw):
            raise Refused(400, f"the {what} holds a percent sign without two hex digits; write %25")
        try:
            text = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            raise Refused(400, f"the {what} is not UTF-8 when decoded") from None
        if _CONTROL.search(text):
            raise Refused(400, f"the {what} holds control characters; nothing here has such a name")
    body, length = expected(scope), headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > body.most_bytes:
        raise too_large(body.most_bytes)
    has_body = length != "0" or "transfer-encoding" in headers
    if has_body and not body.is_sent_as(headers.get("content-type", "")):
        raise Refused(415, f"send the body with `Content-Type: {body.media_type}`")


class _Limited:
    """Receives a body until it is too large."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most_bytes:
            # Of all errors, FastAPI lets only this kind through while it reads a body.
            raise HTTPException(413, too_large(self._most_bytes).detail)
        return message


class _Answering:
    """Sends an answer with what every answer has."""

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self._correlation_id = correlation_id
        #: 0 until the answer has begun.
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message["headers"])
            headers["X-Correlation-ID"] = self._correlation_id
            headers["Cache-Control"] = "no-store"
        await self._send(message)
