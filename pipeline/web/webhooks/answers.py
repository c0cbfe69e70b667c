"""How a webhook answers: nothing, or a problem document that names what is wrong."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from pipeline import metrics


class Refusal(Exception):
    """A notification is not taken; `outcome` is what it is counted as.

    `detail` goes back to whoever sent it and never repeats what was sent.
    """

    def __init__(
        self, status: int, outcome: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.outcome = outcome
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer: https://www.rfc-editor.org/rfc/rfc9457"""
        title = HTTPStatus(self.status).phrase
        problem = {"title": title, "status": self.status, "detail": self.detail}
        return JSONResponse(
            problem, self.status, self.headers, media_type="application/problem+json"
        )


def malformed(detail: str) -> Refusal:
    """Return the refusal of what cannot be read."""
    return Refusal(400, "malformed", detail)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request was answered, and how often it is counted as what."""

    outcomes: Mapping[str, int]
    response: Response


#: Takes a request in and returns the outcome that it is counted as; raises Refusal.
TakeIn = Callable[[Request], Awaitable[str | Taken]]


def endpoint(
    provider: str, source: str, take_in: TakeIn
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of one kind of notification, which counts and times them."""

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        try:
            found = await take_in(request)
            taken = Taken({found: 1}, Response()) if isinstance(found, str) else found
        except Refusal as refusal:
            taken = Taken({refusal.outcome: 1}, refusal.response())
        for outcome, times in taken.outcomes.items():
            metrics.WEBHOOKS.labels(provider, source, outcome).inc(times)
        metrics.WEBHOOK_SECONDS.labels(source).observe(time.perf_counter() - started)
        return taken.response

    return answer


async def body_of(request: Request, most_bytes: int) -> bytes:
    """Return the body.  Raises Refusal if it is larger than `most_bytes`, or breaks off."""
    too_large = Refusal(413, "oversized", f"The body is larger than {most_bytes:,} bytes.")
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise too_large
    except ClientDisconnect:
        raise malformed("The body breaks off.") from None
    return bytes(body)
