"""How a request is refused before any route sees it."""

from __future__ import annotations

import json

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from pipeline import metrics


def refusal(scope: Scope, status: int, reason: str, text: str) -> Response:
    """Return an answer of one line, counted by `reason`; to htmx also a notice to show."""
    metrics.WEB_REFUSED.labels(reason).inc()
    response = PlainTextResponse(f"{text}\n", status)
    if Headers(scope=scope).get("hx-request"):
        notice = {"kind": "bad", "text": text}
        response.headers["HX-Trigger"] = json.dumps({"notice": notice})
    return response
