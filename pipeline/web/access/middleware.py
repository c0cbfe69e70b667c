"""What stands before every route: who is it, and does one of our own pages ask.

Plain ASGI, since what wraps responses in a task of its own breaks streams.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.web.access import sessions
from pipeline.web.access.cookies import session_cookie
from pipeline.web.access.destinations import SIGN_IN, local
from pipeline.web.access.origins import is_same_origin
from pipeline.web.access.principal import Principal, csrf_token_is_valid
from pipeline.web.access.refusals import refusal
from pipeline.web.access.remembered import remembered

#: The API, webhooks, connect pages and links in messages know their callers by other means than
#: a session.
_OTHER_MEANS = ("/static/", "/webhooks/", "/connect/", "/api/v1/", "/u/", "/o/", "/c/")
#: All that is answered without a session.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", SIGN_IN})
OPEN_PREFIXES = (*_OTHER_MEANS, f"{SIGN_IN}/")
#: May be done while MongoDB is down: it takes away nothing but the visitor's own cookie.
SIGN_OUT = "/admin/sign-out"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def is_open(path: str) -> bool:
    """Return whether a path is answered without a session."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


class SignedIn:
    """Lets nobody in who is not signed in, but to what is open to all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; `state.principal` is who sent it."""
        if scope["type"] == "websocket":  # we have none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        principal = await principal_by_cookie(HTTPConnection(scope))
        if principal is None:
            await _sent_away(scope)(scope, receive, send)
        elif not principal.certain and _acts(scope) and scope["path"] != SIGN_OUT:
            text = (
                "MongoDB does not answer, so nobody can check what you may do."
                " You can look around; nothing was done."
            )
            await refusal(scope, 503, "uncertain", text)(scope, receive, send)
        else:
            scope.setdefault("state", {})["principal"] = principal
            await self._app(scope, receive, send)


class SameOrigin:
    """Lets nothing be done by a page of another site in a visitor's name.

    A method that changes things needs a browser's word that one of our pages sent
    it, and, of who is signed in, the token that only pages of this session hold.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        by_browser = scope["type"] == "http" and not scope["path"].startswith(_OTHER_MEANS)
        if not by_browser or not _acts(scope):
            await self._app(scope, receive, send)
            return
        if not is_same_origin(scope):
            text = "This was sent by a page of another site, so it was refused."
            await refusal(scope, 403, "foreign_origin", text)(scope, receive, send)
            return
        principal = scope.get("state", {}).get("principal")
        if isinstance(principal, Principal):
            token, receive = await _token(scope, receive)
            if not csrf_token_is_valid(principal, token):
                text = "This page is of an earlier sign-in; load it again, then try once more."
                await refusal(scope, 403, "csrf", text)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def principal_by_cookie(connection: HTTPConnection) -> Principal | None:
    """Return who is signed in by the cookie of a request."""
    claim = sessions.claim_of(connection.cookies.get(session_cookie(connection.scope), ""))
    if claim is None:
        return None
    answer = remembered.get(claim.session_id)
    return answer.principal if answer else await run_in_threadpool(sessions.look_up, claim)


def _acts(scope: Scope) -> bool:
    return scope["method"] not in _SAFE_METHODS


def _sent_away(scope: Scope) -> Response:
    """Return the way to the sign-in: for a page a redirect, for the rest 401."""
    headers = Headers(scope=scope)
    by_htmx = bool(headers.get("hx-request"))
    if not _acts(scope) and not by_htmx and "text/html" in headers.get("accept", ""):
        return RedirectResponse(_sign_in_then(_address(scope)), 303)
    response = refusal(scope, 401, "signed_out", "You are not signed in.")
    if by_htmx:
        current = urlsplit(headers.get("hx-current-url", ""))
        page = current._replace(scheme="", netloc="", fragment="").geturl()
        response.headers["HX-Redirect"] = _sign_in_then(page)
    return response


def _sign_in_then(page: str) -> str:
    return f"{SIGN_IN}?next={quote(local(page), safe='')}"


def _address(scope: Scope) -> str:
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path = raw.decode("latin-1").partition("?")[0]
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


async def _token(scope: Scope, receive: Receive) -> tuple[str, Receive]:
    """Return the token that came along, and what the route then reads the body from."""
    headers = Headers(scope=scope)
    if given := headers.get("x-csrf-token"):
        return given, receive
    if not headers.get("content-type", "").startswith(_FORMS):
        return "", receive
    body = await Request(scope, receive).body()
    try:
        async with Request(scope, _replayed(body, receive)).form() as form:
            field = form.get("csrf_token")
    except HTTPException:  # a form that cannot be read
        field = None
    return field if isinstance(field, str) else "", _replayed(body, receive)


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
