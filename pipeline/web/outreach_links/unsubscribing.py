"""The page on which a reader says: no more; and the one click that says it without a page.

https://www.rfc-editor.org/rfc/rfc8058
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pymongo
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pipeline.errors import HeadraceError
from pipeline.limits import requests
from pipeline.masking import masked_address, masked_phone
from pipeline.outreach import links
from pipeline.outreach.suppressions import BY_THE_PERSON
from pipeline.outreach.unsubscribing import Standing, resubscribe, standing, unsubscribe
from pipeline.web.outreach_links.problems import count, too_often, unavailable, unknown
from pipeline.web.templating import render

_LINK: Literal["unsubscribe"] = "unsubscribe"
_PATIENCE_SECONDS = 5.0
#: Wishes by one message's link.
_MOST_A_MINUTE = 30
_FAILURES = (HeadraceError, PyMongoError)


async def ask(request: Request) -> Response:
    """Ask whether to unsubscribe.  Changes nothing: programs that look at mail load links too."""
    return await run_in_threadpool(_answer, request, standing, "shown")


async def act(request: Request) -> Response:
    """Unsubscribe, or let it be written again, by what the form says."""
    try:
        async with request.form(max_files=2, max_fields=10) as form:
            wish = _wish(form)
    except HTTPException:  # a form that cannot be read is a wish all the same
        wish = _wish(FormData())
    return await run_in_threadpool(_answer, request, wish, "done")


def _wish(form: FormData) -> Callable[[str], Standing | None]:
    if form.get("wish") == "resubscribe":
        return resubscribe
    # Whatever else a mail program sends, it is the reader's wish to get no more.
    how: Literal["link", "one_click"] = "one_click" if "List-Unsubscribe" in form else "link"
    return lambda message_id: unsubscribe(message_id, how)


def _answer(request: Request, act: Callable[[str], Standing | None], outcome: str) -> Response:
    """Do it and show how it stands then, or that it could not be done."""
    try:
        with pymongo.timeout(_PATIENCE_SECONDS):
            said = links.read(_LINK, request.path_params["token"])
            if said and outcome == "done" and _too_often(said["message_id"]):
                return too_often(_LINK)
            stands = act(said["message_id"]) if said else None
    except _FAILURES:
        return unavailable(_LINK)
    if stands is None:
        return unknown(_LINK)
    count(_LINK, outcome)
    return HTMLResponse(_page(request, stands, asked=outcome == "shown"))


def _too_often(message_id: str) -> bool:
    try:
        return requests.take(f"unsubscribe:{message_id}", _MOST_A_MINUTE, 60.0) > 0
    except RedisError:  # what a reader wishes counts for more than how often
        return False


def _page(request: Request, stands: Standing, *, asked: bool) -> str:
    mask = masked_address if stands.channel == "email" else masked_phone
    return render(
        "outreach_links/unsubscribe.html",
        action=request.url.path,
        address=mask(stands.address),
        sender=stands.sender,
        what="e-mail" if stands.channel == "email" else "text messages",
        reason=stands.reason,
        is_out=stands.reason in BY_THE_PERSON,
        asked=asked,
        is_forgotten=not stands.address,
    )
