"""The pages of connecting an account, in the order in which a person sees them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import wraps

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.connect import Connected, start_syncing
from pipeline.errors import Permanent
from pipeline.web.access import cookies
from pipeline.web.access.origins import is_https, is_same_origin
from pipeline.web.connect import answers, flows
from pipeline.web.connect.answers import Problem, failed, problem_page
from pipeline.web.connect.flows import Flow
from pipeline.web.connect.links import Link, LinkInvalid, provider_named, read_link
from pipeline.web.connect.providers import Provider
from pipeline.web.templating import render

log = logging.getLogger(__name__)


def _explained(act: Callable[..., Response]) -> Callable[..., Response]:
    """Answer what fails on purpose, or because a store is down, with a page."""

    @wraps(act)
    def explained(request: Request, *args: FormData) -> Response:
        try:
            return act(request, *args)
        except answers.FAILURES as error:
            return failed(request, error)

    return explained


@_explained
def ask(request: Request) -> Response:
    """Show what the application asks for."""
    provider = _provider(request)
    token = request.query_params.get("t", "")
    link = _link(provider, token)
    provider.require()
    return _ask_page(provider, link, token)


async def begin(request: Request) -> Response:
    """Send the user to the provider's consent page."""
    form = await request.form(max_files=0, max_fields=50)
    return await run_in_threadpool(_begin, request, form)


@_explained
def callback(request: Request) -> Response:
    """Take what the provider sends the user back with."""
    provider = _provider(request)
    state = request.query_params.get("state", "")
    flow = flows.take(state, request.cookies.get(_cookie(request), ""))
    try:
        return _finish(request, provider, flow)
    except answers.FAILURES as error:
        log.warning("connecting failed", extra={"reason": type(error).__name__})
        return failed(request, error, flow.link)


@_explained
def _begin(request: Request, form: FormData) -> Response:
    provider = _provider(request)
    if not is_same_origin(request.scope):
        return problem_page(request, answers.FOREIGN_ORIGIN)
    token = str(form.get("t", ""))
    link = _link(provider, token)
    sources = [source for source in link.sources if form.get(source)]
    if not sources:
        return _ask_page(provider, link, token, answers.NOTHING_TICKED)
    # One cookie for all tabs of a browser, so that they do not disturb each other.
    browser = request.cookies.get(_cookie(request)) or secrets.token_urlsafe(32)
    response = RedirectResponse(flows.begin(provider, link, sources, browser), 303)
    cookies.put(response, request.scope, _cookie(request), browser, seconds=flows.STATE_SECONDS)
    return response


def _finish(request: Request, provider: Provider, flow: Flow) -> Response:
    refusal = request.query_params.get("error")
    if refusal:
        problem = answers.refused(refusal, request.query_params.get("error_description", ""))
        return problem_page(request, problem, flow.link)
    code = request.query_params.get("code")
    if not code:
        raise Permanent("the provider sent neither a code nor an error")
    link = flow.link
    done = provider.connect(
        link.user_id,
        provider.exchange(code, flow.consent),
        flow.sources,
        tenant_id=link.tenant_id,
        other_account=link.other_account,
    )
    if not done.opened:
        return problem_page(request, answers.DENIED, link)
    response = _done(provider, link, done)
    # After the answer: the user need not wait for Redis.
    response.background = BackgroundTask(start_syncing, link.user_id, done.opened)
    return response


def _done(provider: Provider, link: Link, done: Connected) -> Response:
    outcome = "partly" if done.missing else "connected"
    answers.count(provider.name, outcome)
    back = link.way_back(status=outcome, provider=provider.name, sources=",".join(done.opened))
    if back and not done.missing:
        return RedirectResponse(back, 303)
    return HTMLResponse(
        render(
            "connect/done.html",
            provider=provider,
            opened=provider.offers_of(done.opened),
            missing=provider.offers_of(done.missing),
            again=link.asking_for(done.missing).url() if done.missing else "",
            back=back,
        )
    )


def _ask_page(
    provider: Provider, link: Link, token: str, problem: Problem | None = None
) -> Response:
    offers = provider.offers_of(link.sources)
    page = render(
        "connect/ask.html",
        provider=provider,
        link=link,
        token=token,
        offers=offers,
        problem=problem,
    )
    return HTMLResponse(page, problem.status if problem else 200)


def _provider(request: Request) -> Provider:
    return provider_named(request.path_params["provider"])


def _link(provider: Provider, token: str) -> Link:
    link = read_link(token)
    if link.provider != provider.name:
        raise LinkInvalid("the link is for another provider")
    return link


def _cookie(request: Request) -> str:
    """Return the name of the cookie that tells this browser from others."""
    return "__Host-headrace_connect" if is_https(request.scope) else "headrace_connect"
