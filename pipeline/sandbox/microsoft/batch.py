"""Several requests in one: https://learn.microsoft.com/graph/json-batching"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from pipeline.sandbox.calls import Call, Method, Reply, dump_json
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import bad_request, graph_error, refused, request_headers
from pipeline.sandbox.microsoft.gate import BATCH, ROOT
from pipeline.sandbox.microsoft.throttle import AT_ONCE, Throttle, over_concurrency

MOST_PARTS = 20
_FAILED = 400


@dataclass(frozen=True)
class _Part:
    part_id: str
    call: Call
    depends_on: tuple[str, ...]


class GraphBatches:
    """The batch endpoint; `answer` serves one part."""

    def __init__(self, answer: Callable[[Call], Reply], throttle: Throttle) -> None:
        self._answer, self._throttle = answer, throttle

    def methods(self) -> list[Method]:
        return [
            Method(
                *(GRAPH_API, BATCH, "POST", "/$batch", frozenset()),
                handler=self._serve,
                unlocked=True,
            )
        ]

    def _serve(self, call: Call) -> Reply:
        """A batch takes as many of the mailbox's slots as are free, and its parts take turns
        in them; with none free every part is refused."""
        parts = _parts(call)
        slots = self._throttle.enter(call.user.n, min(len(parts), AT_ONCE))
        replies: dict[str, Reply] = {}
        for part in parts:
            if not slots:
                reply = refused(over_concurrency(), request_headers(part.call))
            elif any(_failed(replies.get(name)) for name in part.depends_on):
                error = graph_error(HTTPStatus.FAILED_DEPENDENCY, "FailedDependency")
                reply = refused(error, request_headers(part.call))
            else:
                reply = self._answer(part.call)
            replies[part.part_id] = reply
        leave = partial(self._throttle.leave, call.user.n, slots)
        return replace(_joined(replies), on_sent=leave)


def _failed(reply: Reply | None) -> bool:
    return reply is None or reply.status >= _FAILED


def _parts(call: Call) -> list[_Part]:
    requests = call.json_body().get("requests")
    if not isinstance(requests, list) or not requests:
        raise bad_request("The batch needs a list of requests.", "BadRequest")
    if len(requests) > MOST_PARTS:
        message = f"Number of batch request steps exceeds the maximum value of {MOST_PARTS}."
        raise bad_request(message, "BadRequest")
    parts = [_part(call, request) for request in requests]
    if len({part.part_id for part in parts}) < len(parts):
        raise bad_request("Request ids must be unique within a batch.", "BadRequest")
    return parts


def _part(outer: Call, request: Any) -> _Part:
    if not isinstance(request, dict) or not all(
        isinstance(request.get(name), str) and request[name] for name in ("id", "method", "url")
    ):
        raise bad_request("Every request needs an id, a method and a url.", "BadRequest")
    path, _, query = request["url"].partition("?")
    given = request.get("headers") or {}
    headers = {str(name).lower(): str(value) for name, value in given.items()}
    headers.setdefault("authorization", outer.headers.get("authorization", ""))
    body = request.get("body")
    call = Call(
        store=outer.store,
        verb=request["method"].upper(),
        path=f"{ROOT}/{path.lstrip('/')}",
        query=parse_qsl(query, keep_blank_values=True),
        headers=headers,
        body=b"" if body is None else dump_json(body).encode(),
        base_url=outer.base_url,
    )
    return _Part(request["id"], call, tuple(request.get("dependsOn") or ()))


def _joined(replies: dict[str, Reply]) -> Reply:
    """One answer of all parts, in no order.  It is as slow as its slowest part, and a part whose
    connection breaks breaks the whole."""
    order = list(replies)
    Random(len(order)).shuffle(order)
    body = ",".join(_written(part_id, replies[part_id]) for part_id in order)
    text = f'{{"responses":[{body}]}}'.encode()
    cut = any(reply.cut_at_bytes is not None for reply in replies.values())
    delay_seconds = max(reply.delay_seconds for reply in replies.values())
    return Reply(text, delay_seconds=delay_seconds, cut_at_bytes=len(text) // 2 if cut else None)


def _written(part_id: str, reply: Reply) -> str:
    """The body is JSON already, so it goes in as it is."""
    headers = {_header_name(name): value for name, value in reply.headers}
    head = {"id": part_id, "status": reply.status, "headers": headers}
    if not reply.body:
        return dump_json(head)
    headers["Content-Type"] = "application/json"
    return f'{dump_json(head)[:-1]},"body":{reply.body.decode()}}}'


def _header_name(name: str) -> str:
    return re.sub(r"\b\w", lambda letter: letter[0].upper(), name)
