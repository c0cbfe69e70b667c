"""Our own address, and whether a request comes from one of our pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from pipeline.config import settings


def is_https(scope: Scope) -> bool:
    """Return whether browsers reach us by https; behind a proxy the public address says so."""
    public = settings().public_base_url
    return public.startswith("https://") if public else scope.get("scheme") == "https"


def is_same_origin(scope: Scope) -> bool:
    """Return whether a browser says that one of our pages sent this.

    Both headers count where both are sent.  Without either, nobody says so: every
    browser of today sends Origin with a POST.
    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        return False
    return site in (None, "same-origin") and (origin is None or origin in _ours(scope, headers))


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, empty if it has none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _ours(scope: Scope, headers: Headers) -> set[str]:
    requested = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"
    return {requested, origin_of(settings().public_base_url)} - {""}
