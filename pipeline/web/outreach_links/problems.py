"""What a reader sees whose link leads nowhere, or not just now."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from pipeline import metrics
from pipeline.web.templating import render

_COME_AGAIN_SECONDS = 30


def unknown(link: str) -> Response:
    """Answer that a link was not made here."""
    count(link, "unknown")
    return _page(
        404,
        "This link does not work",
        "It was not made here, or a part of it got lost on the way.",
        "Open it again in one piece, from the message that it came in.",
    )


def unavailable(link: str) -> Response:
    """Answer that nothing was done, because a store does not answer."""
    count(link, "unavailable")
    page = _page(
        503,
        "That did not work just now",
        "It is not known whether anything was changed.",
        "Please open the link in your message again in a minute.",
    )
    page.headers["Retry-After"] = str(_COME_AGAIN_SECONDS)
    return page


def too_often(link: str) -> Response:
    """Answer that somebody has asked too often within a minute."""
    count(link, "limited")
    page = _page(
        429,
        "Too many at once",
        "You have changed this very often within a minute; the last time was not heeded.",
        "Please open the link in your message again in a minute.",
    )
    page.headers["Retry-After"] = str(_COME_AGAIN_SECONDS)
    return page


def count(link: str, outcome: str) -> None:
    """Count a visit."""
    metrics.OUTREACH_VISITS.labels(link, outcome).inc()


def _page(status: int, title: str, text: str, way_on: str) -> Response:
    html = render("outreach_links/problem.html", title=title, text=text, way_on=way_on)
    return HTMLResponse(html, status)
