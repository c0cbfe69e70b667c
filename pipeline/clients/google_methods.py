"""Google's methods by name, from the discovery documents that come with the client library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httplib2
from googleapiclient.discovery import build
from googleapiclient.http import HttpRequest

from pipeline.config import settings
from pipeline.errors import Permanent


@dataclass(frozen=True, slots=True)
class Api:
    """Where an API is, as its discovery document says; the root is a setting."""

    version: str
    root_url: str
    service_path: str
    batch_path: str
    #: What Composio calls it.
    toolkit: str


APIS = {
    "calendar": Api(
        "v3",
        "https://www.googleapis.com",
        "calendar/v3/",
        "batch/calendar/v3",
        "googlecalendar",
    ),
    "gmail": Api("v1", "https://gmail.googleapis.com", "", "batch", "gmail"),
    "people": Api("v1", "https://people.googleapis.com", "", "batch", "googlecontacts"),
    "tasks": Api("v1", "https://tasks.googleapis.com", "", "batch", "googletasks"),
}

#: Methods whose answer has no body, as their discovery documents say by naming none.
WITHOUT_ANSWER = frozenset(("calendar.channels.stop", "gmail.users.stop"))


def api_of(method: str) -> str:
    """Return the API of a method: `gmail` of `gmail.users.messages.get`."""
    return method.partition(".")[0]


def new_request(method: str, params: Mapping[str, Any], http: object) -> HttpRequest:
    """Return the request of `method`, to be sent over `http`; None: within a batch.

    Raises Permanent if there is no such method, or it does not take these parameters.
    """
    try:
        request = _method(method, settings().google_api_base_url)(**params)
    except (AttributeError, TypeError, ValueError):
        # The library's own message repeats the values.
        names = ", ".join(params)
        raise Permanent(f"{method} does not exist or does not take these: {names}") from None
    request.http = http
    return request


def batch_url(method: str) -> str:
    """Return the address that takes batches of `method`."""
    api = APIS[api_of(method)]
    return f"{settings().google_api_base_url or api.root_url}/{api.batch_path}"


@cache
def _method(method: str, base_url: str) -> Callable[..., HttpRequest]:
    """Return what builds the requests of a method.

    Finding it takes milliseconds, so it is kept; it has no state of its own and may
    be used by all threads.  The connection that it is born with is never opened.
    """
    name, *path = method.split(".")
    api = APIS[name]
    found: Any = build(
        name,
        api.version,
        http=httplib2.Http(),
        cache_discovery=False,
        client_options={"api_endpoint": f"{base_url or api.root_url}/{api.service_path}"},
    )
    for resource in path[:-1]:
        found = getattr(found, resource)()
    built: Callable[..., HttpRequest] = getattr(found, path[-1])
    return built
