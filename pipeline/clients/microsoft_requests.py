"""Requests to Microsoft Graph: a method and its parameters become verb, address and body.

A method is verb and path with names for what varies, `GET /me/messages/{id}`: so it
can be said in logs and metrics.  `GET` alone follows a link that Graph has given.
https://learn.microsoft.com/graph/use-the-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode

from pipeline.config import settings
from pipeline.errors import CursorExpired, Permanent

VERSION = "/v1.0"
#: A method without anything of a person in it: names of resources, and of what varies.
_METHOD = re.compile(r"(GET|POST|PATCH|PUT|DELETE)( (/(\{[a-z_]+\}|[A-Za-z]+))+)?")
_PLACE = re.compile(r"\{([a-z_]+)\}")
#: Options of a query that OData marks with a dollar.
_ODATA = frozenset(("select", "top", "filter", "orderby", "expand", "skip", "search", "count"))
#: Parameters that are not part of the address.
_BESIDE = frozenset(("body", "if_match"))
#: Verbs that come to the same when they are done twice, as far as the caller can tell.
_REPEATABLE = frozenset(("GET", "PATCH"))


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One request.  `path` begins behind the version; `method` is what may be said of it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether it goes on from where Graph has said.
    follows_link: bool = False

    @classmethod
    def of(cls, method: str, params: Mapping[str, Any]) -> Self:
        """Return the request of `method`.

        Raises Permanent if it is no method or lacks a parameter, CursorExpired for a
        link that leads elsewhere.
        """
        if not _METHOD.fullmatch(method):
            raise Permanent("a method of Microsoft Graph is a verb and a path with names")
        follows_link = " " not in method
        path = link_path(params["url"]) if follows_link else _path(method, params)
        return cls(
            method=f"{method} link" if follows_link else method,
            path=path,
            body=params.get("body"),
            headers=_headers(path, follows_link, params),
            follows_link=follows_link,
        )

    @property
    def verb(self) -> str:
        """The HTTP method."""
        return self.method.partition(" ")[0]

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again when it is not known whether it was carried out."""
        return self.verb in _REPEATABLE

    def part(self, number: int) -> dict[str, Any]:
        """Return the request as part of a batch.

        https://learn.microsoft.com/graph/json-batching
        """
        part: dict[str, Any] = {
            "id": str(number),
            "method": self.verb,
            "url": self.path,
            "headers": dict(self.headers),
        }
        if self.body is not None:
            part["headers"]["Content-Type"] = "application/json"
            part["body"] = self.body
        return part


def root_url() -> str:
    """Return the address that all paths are behind."""
    return settings().microsoft_graph_base_url + VERSION


def link_path(link: str) -> str:
    """Return the path of a link that Graph has given, unchanged.

    Raises CursorExpired if it leads elsewhere, for a token goes to no other host: it
    is from before MICROSOFT_GRAPH_BASE_URL was changed, and a new listing gives others.
    """
    if not link.startswith(f"{root_url()}/"):
        raise CursorExpired("a stored link is not of MICROSOFT_GRAPH_BASE_URL")
    return link.removeprefix(root_url())


def _path(method: str, params: Mapping[str, Any]) -> str:
    template = method.partition(" ")[2]
    places = _PLACE.findall(template)
    try:
        path = _PLACE.sub(lambda place: quote(str(params[place.group(1)]), safe=""), template)
    except KeyError as missing:
        raise Permanent(f"{method} lacks {missing}") from None
    options = {
        f"${name}" if name in _ODATA else name: value
        for name, value in params.items()
        if name not in places and name not in _BESIDE and value is not None
    }
    return f"{path}?{urlencode(options, quote_via=quote, safe='$,')}" if options else path


def _headers(path: str, follows_link: bool, params: Mapping[str, Any]) -> dict[str, str]:
    """Return what every request says, also within a batch.

    Ids that survive a move must be asked for each time, or Graph gives the others:
    https://learn.microsoft.com/graph/outlook-immutable-id
    """
    preferences = ['IdType="ImmutableId"', 'outlook.body-content-type="text"']
    if follows_link or path.partition("?")[0].endswith("/delta"):
        # Not $top, which would limit the whole of what is tracked.
        preferences.append(f"odata.maxpagesize={settings().microsoft_mail_page_size}")
    headers = {"Prefer": ", ".join(preferences)}
    if params.get("if_match"):
        headers["If-Match"] = str(params["if_match"])
    return headers
