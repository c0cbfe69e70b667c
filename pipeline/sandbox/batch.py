"""Batches: several requests as parts of one multipart/mixed body.

https://developers.google.com/workspace/gmail/api/guides/batch
"""

from __future__ import annotations

import email.parser
import email.policy
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from http.client import responses
from urllib.parse import parse_qsl

from pipeline.sandbox.calls import ApiError, Call, Method, Reply, invalid
from pipeline.sandbox.quotas import Quotas, too_many_concurrent

#: The cap on parts and the APIs' batch addresses; the calendar guide says 50.
_PATHS = {"/batch/gmail/v1": 100, "/batch": 100, "/batch/calendar/v3": 50}
_API_OF_PATH = {"/batch/calendar/v3": "calendar"}

Answer = Callable[[Call], Reply]


@dataclass(frozen=True)
class _Part:
    content_id: str
    call: Call


class Batches:
    """The batch endpoints; `answer` serves one part."""

    def __init__(self, answer: Answer, quotas: Quotas) -> None:
        self._answer, self._quotas = answer, quotas

    def methods(self) -> list[Method]:
        return [
            Method(
                *(_API_OF_PATH.get(path, "gmail"), "batch", "POST", path, frozenset()),
                handler=partial(self._serve, most),
            )
            for path, most in _PATHS.items()
        ]

    def _serve(self, most: int, call: Call) -> Reply:
        parts = _parts(call)
        if len(parts) > most:
            raise invalid(
                f"Inner request count exceeds the limit. Received: {len(parts)}, Limit: {most}"
            )
        gmail = sum(part.call.path.startswith("/gmail/") for part in parts)
        with self._quotas.batch_in_flight(call.user.user, gmail) as admitted:
            replies: list[tuple[str, Reply]] = []
            for part in parts:
                counted = part.call.path.startswith("/gmail/")
                refused = counted and admitted <= 0
                admitted -= counted
                reply = too_many_concurrent().reply("gmail") if refused else self._answer(part.call)
                replies.append((part.content_id, reply))
        return _joined(replies)


def _parts(call: Call) -> list[_Part]:
    kind = call.headers.get("content-type", "")
    head = f"content-type: {kind}\r\n\r\n".encode()
    # The compat32 policy, as the client's own generator uses: ids stay as they are.
    parser = email.parser.BytesParser(policy=email.policy.compat32)
    message = parser.parsebytes(head + call.body)
    if not message.is_multipart():
        raise ApiError(HTTPStatus.BAD_REQUEST, "badRequest", "Failed to parse batch request.")
    found = []
    for index, part in enumerate(message.get_payload()):
        raw = part.get_payload(decode=True) if not isinstance(part, str) else None
        if not isinstance(raw, bytes):
            raise ApiError(HTTPStatus.BAD_REQUEST, "badRequest", "Failed to parse batch request.")
        found.append(_Part(part.get("Content-ID", f"<{index}>"), _inner_call(call, raw)))
    return found


def _inner_call(outer: Call, raw: bytes) -> Call:
    """The request in a part; it may bring its own authorization."""
    line, _, rest = raw.partition(b"\n")
    words = line.decode("latin-1").split()
    if len(words) < 2:
        raise ApiError(HTTPStatus.BAD_REQUEST, "badRequest", "Failed to parse batch request.")
    message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(rest)
    headers = {name.lower(): str(value) for name, value in message.items()}
    headers.setdefault("authorization", outer.headers.get("authorization", ""))
    path, _, query = words[1].partition("?")
    body = message.get_payload(decode=True)
    return replace(
        outer,
        verb=words[0],
        path=path,
        query=parse_qsl(query, keep_blank_values=True),
        headers=headers,
        body=body if isinstance(body, bytes) else b"",
        path_values={},
        signed_in=None,
        scopes=frozenset(),
        fault=None,
    )


def _joined(replies: list[tuple[str, Reply]]) -> Reply:
    """One answer of all parts.  It is as slow as its slowest part, and a part whose connection
    breaks breaks the whole at that place."""
    boundary = f"batch_{secrets.token_urlsafe(16)}"
    body, cut_at_bytes = b"", None
    for content_id, reply in replies:
        body += f"--{boundary}\r\n".encode()
        if reply.cut_at_bytes is not None and cut_at_bytes is None:
            cut_at_bytes = len(body) + reply.cut_at_bytes
        body += _written(content_id, reply)
    return Reply(
        body + f"--{boundary}--\r\n".encode(),
        content_type=f"multipart/mixed; boundary={boundary}",
        delay_seconds=max((reply.delay_seconds for _, reply in replies), default=0.0),
        cut_at_bytes=cut_at_bytes,
    )


def _written(content_id: str, reply: Reply) -> bytes:
    reason = responses.get(reply.status, "Unknown")
    lines = [
        "Content-Type: application/http",
        f"Content-ID: <response-{content_id.strip('<>')}>",
        "",
        f"HTTP/1.1 {reply.status} {reason}",
        f"Content-Type: {reply.content_type}",
        *(f"{name}: {value}" for name, value in reply.headers),
        f"Content-Length: {len(reply.body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + reply.body + b"\r\n"
