"""What machines ask: is the process alive, are its stores, and its metrics."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.config import settings
from pipeline.release import RELEASE
from pipeline.web.stores import prober

#: Without these nothing can be received; without the graph, pages lack a figure.
_NEEDED = ("mongodb", "redis")


async def healthz(_request: Request) -> Response:
    """Answer, which shows that the process lives and its event loop turns."""
    return JSONResponse({"status": "ok", "release": RELEASE})


def readyz(_request: Request) -> Response:
    """Say of each store by name whether it answers and how fast; 503 if a needed one does not."""
    health = prober().health()
    stores = {
        name: {
            "status": "ok" if store.ok else "down",
            "latency_ms": round(store.latency_ms, 1),
            "since": store.since.isoformat(),
            **({"problem": store.problem} if store.problem else {}),
        }
        for name, store in health.items()
    }
    ready = all(health[name].ok for name in _NEEDED)  # type: ignore[index]  # names of stores
    whole = all(store.ok for store in health.values())
    status = "ready" if whole else "degraded" if ready else "not ready"
    return JSONResponse({"status": status, "stores": stores}, 200 if ready else 503)


def metrics(request: Request) -> Response:
    """Return this process's metrics, to those who may have them.

    Without METRICS_TOKEN that is whoever asks from this machine and not through
    a proxy: the web is often the one part that the internet reaches.
    """
    token = settings().metrics_token.get_secret_value()
    if token:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(sent.encode(), token.encode()):
            return PlainTextResponse(
                "Send METRICS_TOKEN as a bearer token.\n", 401, {"WWW-Authenticate": "Bearer"}
            )
    elif not _is_from_here(request):
        return PlainTextResponse("Set METRICS_TOKEN to read metrics from elsewhere.\n", 403)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _is_from_here(request: Request) -> bool:
    if request.client is None or "x-forwarded-for" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


routes = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
