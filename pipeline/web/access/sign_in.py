"""Signing in and out, with a password or by OpenID Connect; works without scripts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pipeline import metrics
from pipeline.audit import record
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Permanent, RateLimited, Transient
from pipeline.web.access import accounts, attempts, cookies, oidc, sessions
from pipeline.web.access.asking import asking_mongodb
from pipeline.web.access.destinations import HOME, SIGN_IN, local
from pipeline.web.access.middleware import SIGN_OUT, principal_by_cookie
from pipeline.web.access.principal import principal_of
from pipeline.web.templating import render

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Checking a password takes 64 MiB and a processor for a while: so many at a time.  Who
#: waits holds no thread, so that the rest of the web goes on.
_AT_ONCE = 2
_limiter: RunVar[CapacityLimiter] = RunVar("headrace_sign_in")

#: Of a name, as the field allows.
_MOST_CHARACTERS = 64

_WRONG = "That name and password do not belong together."
_UNREACHABLE = "MongoDB does not answer, so nobody can sign in now. Try again in a moment."


async def form(request: Request) -> Response:
    """Show the form; who is signed in goes on to where they wanted."""
    next_page = local(request.query_params.get("next"))
    principal = await principal_by_cookie(request)
    if principal is not None and principal.certain:
        return RedirectResponse(next_page, 303)
    return await run_in_threadpool(_page, next_page)


async def submit(request: Request) -> Response:
    """Sign in with name and password."""
    async with request.form(max_files=0) as fields:
        name, password, wanted = (_text(fields, field) for field in ("name", "password", "next"))
    next_page = local(wanted)
    try:
        account = await _one_of_few(lambda: _verified(name, password, _address(request)))
    except RateLimited as error:
        metrics.WEB_SIGN_INS.labels("password", "limited").inc()
        wait = round(error.retry_after_seconds)
        text = f"Too many attempts. Wait {wait} s, then try again."
        return await run_in_threadpool(
            _page, next_page, text, name, 429, {"Retry-After": str(wait)}
        )
    except Transient:
        metrics.WEB_SIGN_INS.labels("password", "failed").inc()
        return await run_in_threadpool(_page, next_page, _UNREACHABLE, name, 503)
    if account is None:
        metrics.WEB_SIGN_INS.labels("password", "wrong").inc()
        return await run_in_threadpool(_page, next_page, _WRONG, name, 401)
    return await _entered(request, account, "password", next_page)


async def sign_out(request: Request) -> Response:
    """End this session; while MongoDB is down only the cookie goes."""
    principal = principal_of(request)
    response = RedirectResponse(SIGN_IN, 303)
    cookies.drop(response, request.scope, cookies.session_cookie(request.scope))
    try:
        await run_in_threadpool(sessions.end, principal.session_id)
        await run_in_threadpool(
            record, principal.name, "session.sign_out", f"account {principal.name}"
        )
    except Transient:
        logger.warning("signed out by cookie alone", extra={"reason": "MongoDB does not answer"})
    return response


async def oidc_begin(request: Request) -> Response:
    """Send the visitor to the issuer."""
    next_page = local(request.query_params.get("next"))
    if not settings().oidc_issuer:
        return await run_in_threadpool(
            _page, next_page, "There is no OpenID Connect here.", "", 404
        )
    redirect_uri = f"{settings().public_base_url}{oidc.CALLBACK}"
    try:
        departure = await run_in_threadpool(oidc.depart, redirect_uri, next_page)
    except HeadraceError as error:
        return await _refused(error)
    response = RedirectResponse(departure.url, 303)
    name = cookies.oidc_cookie(request.scope)
    cookies.put(response, request.scope, name, departure.cookie, seconds=oidc.AWAY_SECONDS)
    return response


async def oidc_callback(request: Request) -> Response:
    """Sign in whom the issuer sends back."""
    name = cookies.oidc_cookie(request.scope)
    try:
        kept = oidc.remembered(request.cookies.get(name, ""))
        account = await run_in_threadpool(oidc.arrive, request.query_params, kept)
    except HeadraceError as error:
        response = await _refused(error)
    else:
        response = await _entered(request, account, "oidc", local(kept["next"]))
    cookies.drop(response, request.scope, name)
    return response


routes: list[BaseRoute] = [
    Route(SIGN_IN, form, methods=["GET"], name="sign_in"),
    Route(SIGN_IN, submit, methods=["POST"], name="sign_in.submit"),
    Route(f"{SIGN_IN}/oidc", oidc_begin, methods=["GET"], name="sign_in.oidc"),
    Route(oidc.CALLBACK, oidc_callback, methods=["GET"], name="sign_in.oidc_callback"),
    Route(SIGN_OUT, sign_out, methods=["POST"], name="sign_out"),
]


async def _one_of_few(work: Callable[[], T]) -> T:
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(work, limiter=limiter)


def _verified(name: str, password: str, address: str) -> accounts.Account | None:
    """Return whose name and password these are; a failure is noted in the audit."""
    limits = attempts.limits_of(name, address)
    attempts.take(limits)
    with asking_mongodb():
        account = accounts.verified(name, password)
    if account is None:
        # A name that nobody has may be a password that was typed into the wrong field.
        known = accounts.is_known(name)
        who = accounts.normal_name(name) if known else "unknown"
        record(who, "session.sign_in", f"account {who}" if known else "", outcome="refused")
        return None
    attempts.forgive(limits)
    return account


async def _entered(
    request: Request, account: accounts.Account, method: sessions.Method, next_page: str
) -> Response:
    """Begin a session under a new id, whatever cookie came along; that one is ended."""
    try:
        cookie = await run_in_threadpool(_begun, request, account, method)
    except Transient:
        metrics.WEB_SIGN_INS.labels(method, "failed").inc()
        return await run_in_threadpool(_page, next_page, _UNREACHABLE, account.name, 503)
    metrics.WEB_SIGN_INS.labels(method, "signed_in").inc()
    response = RedirectResponse(next_page, 303)
    name = cookies.session_cookie(request.scope)
    cookies.put(response, request.scope, name, cookie, seconds=sessions.cookie_seconds())
    return response


def _begun(request: Request, account: accounts.Account, method: sessions.Method) -> str:
    previous = sessions.claim_of(request.cookies.get(cookies.session_cookie(request.scope), ""))
    if previous:
        sessions.end(previous.session_id)
    cookie = sessions.begin(account, method, request.headers.get("user-agent", ""))
    record(
        account.name, "session.sign_in", f"account {account.name}", role=account.role, method=method
    )
    return cookie


async def _refused(error: HeadraceError) -> Response:
    """Tell why a sign-in by OpenID Connect came to nothing."""
    outcome, status = _outcome_of(error)
    metrics.WEB_SIGN_INS.labels("oidc", outcome).inc()
    if outcome in ("no_role", "disabled"):
        # The issuer vouches for them; what strangers make up must not fill the audit.
        await run_in_threadpool(
            record, "unknown", "session.sign_in", outcome="refused", method="oidc", reason=outcome
        )
    text = str(error)
    if isinstance(error, Misconfigured):
        logger.error("OpenID Connect is set up wrongly", extra={"reason": text})
        text = "sign-in by OpenID Connect is set up wrongly; the log says how"
    html = await run_in_threadpool(render, "sign_in/refused.html", text=text, sign_in=SIGN_IN)
    return HTMLResponse(html, status)


def _outcome_of(error: HeadraceError) -> tuple[str, int]:
    """Return the outcome for the metric, and the HTTP status."""
    match error:
        case oidc.NoRole():
            return "no_role", 403
        case accounts.Disabled():
            return "disabled", 403
        case Permanent():
            return "wrong", 403
    return "failed", 503


def _page(
    next_page: str = HOME,
    error: str = "",
    name: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    try:
        with asking_mongodb():
            anybody = accounts.exist()
    except Transient:
        anybody, error = True, error or _UNREACHABLE
    html = render(
        "sign_in/form.html",
        next=next_page,
        error=error,
        typed_name=name[:_MOST_CHARACTERS],
        anybody=anybody,
        oidc_url=f"{SIGN_IN}/oidc" if settings().oidc_issuer else "",
    )
    return HTMLResponse(html, status, headers)


def _text(fields: FormData, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
