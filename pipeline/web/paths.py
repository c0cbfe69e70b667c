"""Ids in paths: any printable character, the slash too, which would otherwise part the path."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

#: Stands for an encoded slash while routes are matched; a private-use character, so in no id.
_SLASH = "\ue000"
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class IdConvertor(Convertor[str]):
    """`{user_id:id}`: one segment of a path, in which `%2F` is a slash of the id."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Return the id."""
        return value.replace(_SLASH, "/")

    def to_string(self, value: str) -> str:
        """Return the id as it stands in a path."""
        return segment(value)


class KeepSlashes:
    """Keeps encoded slashes of a path out of the way of the routes.

    Servers decode a path before an application sees it, as ASGI says, and then
    nobody can tell `a%2Fb` from `a/b`.
    https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%" in raw:
            marked = _ENCODED_SLASH.sub(quote(_SLASH).encode(), raw)
            scope = {**scope, "path": unquote(marked.decode("latin-1"))}
        await self._app(scope, receive, send)


def segment(value: str) -> str:
    """Return `value` as one segment of a path."""
    return quote(value, safe="")


register_url_convertor("id", IdConvertor())
