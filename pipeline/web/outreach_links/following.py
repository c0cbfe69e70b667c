"""Opened and followed: the reader gets what they came for, whatever becomes of the count."""

from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime
from typing import Literal

from pymongo.errors import PyMongoError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipeline.errors import HeadraceError
from pipeline.outreach import links
from pipeline.outreach.link_secret import link_secret
from pipeline.outreach.visits import Visit
from pipeline.web.outreach_links.counting import counting
from pipeline.web.outreach_links.problems import count, unavailable, unknown

log = logging.getLogger(__name__)

#: A picture of one transparent dot.
_DOT = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_DOT_HEADERS = {
    "Cache-Control": "no-store, private",
    # Mail is shown by pages of other sites.
    "Cross-Origin-Resource-Policy": "cross-origin",
}
#: All that Apple's servers say of themselves, which load the pictures of all mail beforehand.
#: https://support.apple.com/guide/iphone/use-mail-privacy-protection-iphf084865c7/ios
_APPLE = "Mozilla/5.0"
FAILURES = (HeadraceError, PyMongoError)


def warm_up() -> None:
    """Read the secret of links, so that they lead on while the store is away."""
    try:
        link_secret()
    except FAILURES as error:
        log.warning("secret of links not read", extra={"reason": type(error).__name__})


async def opened(request: Request) -> Response:
    """Give the picture, and note that the message was opened.

    While the token cannot be verified, the picture is given all the same.
    """
    try:
        said = await run_in_threadpool(links.read, "open", request.path_params["token"])
    except FAILURES:
        count("open", "lost")
        return _dot(None)
    if said is None:
        return unknown("open")
    is_machine = request.headers.get("user-agent", "") == _APPLE
    return _dot(_task(request, said["message_id"], "opened", is_machine=is_machine))


async def clicked(request: Request) -> Response:
    """Lead on to the link's address, and note that it was followed.

    Only to signed addresses: while the signature cannot be verified, a page asks to come again.
    """
    try:
        said = await run_in_threadpool(links.read, "click", request.path_params["token"])
    except FAILURES:
        return unavailable("click")
    if said is None:
        return unknown("click")
    response = RedirectResponse(said["url"], 302, {"Referrer-Policy": "no-referrer"})
    response.background = _task(request, said["message_id"], "clicked", said["url"])
    return response


def _dot(background: BackgroundTask | None) -> Response:
    return Response(_DOT, 200, _DOT_HEADERS, "image/gif", background)


def _task(
    request: Request,
    message_id: str,
    kind: Literal["opened", "clicked"],
    url: str = "",
    *,
    is_machine: bool = False,
) -> BackgroundTask | None:
    """Return what is done after the answer; nothing for who only asks what there would be."""
    if request.method != "GET":
        return None
    visit = Visit(message_id, kind, datetime.now(UTC), url, is_machine)
    return BackgroundTask(counting().count, visit)
