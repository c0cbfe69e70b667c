"""How large a request may be."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline import metrics
from pipeline.web.access.refusals import refusal

MEBIBYTE = 1024 * 1024


class TooLarge(HTTPException):
    """A body turns out to be too long while it is read; frameworks answer it with 413."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(413, f"A request may carry {most_bytes} bytes here.")


class BodyLimit:
    """Refuses bodies of more than `most_bytes`, or than the longest fitting prefix of a path has.

    A body without a length is read until it is too long.
    """

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int = MEBIBYTE,
        by_prefix: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        longest_first = sorted((by_prefix or {}).items(), key=lambda item: -len(item[0]))
        self._limits = (*longest_first, ("", most_bytes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = next(n for prefix, n in self._limits if scope["path"].startswith(prefix))
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            await refusal(scope, 413, "too_large", TooLarge(most).detail)(scope, receive, send)
            return
        left, began = most, False

        async def receive_some() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                metrics.WEB_REFUSED.labels("too_large").inc()
                raise TooLarge(most)
            return message

        async def send_some(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive_some, send_some)
        except TooLarge as error:  # read by other middleware, outside of what answers errors
            if began:
                raise
            await PlainTextResponse(f"{error.detail}\n", 413)(scope, receive, send)
