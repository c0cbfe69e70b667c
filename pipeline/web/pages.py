"""How a page of the admin and an action are declared.

A page reads what it shows in a thread and renders one template, whose block
`live` is what changes: it alone is rendered for live updates.  An action is a
POST that is allowed by role, written to the audit before it is done, and
answered with a notice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pipeline.audit import audited
from pipeline.errors import (
    Gone,
    HeadraceError,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.users.errors import NotNow
from pipeline.web.access import Principal, Role, csrf_token, principal_of
from pipeline.web.notices import FLASH_COOKIE, flash_of, notice
from pipeline.web.paths import segment
from pipeline.web.templating import render, render_block

log = logging.getLogger(__name__)


class NotFound(Permanent):
    """There is no such thing as the address names."""


class Conflict(Permanent):
    """It is not in the state that the action needs."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page or an action is called with."""

    principal: Principal
    path: Mapping[str, str] = field(default_factory=dict)
    query: QueryParams = field(default_factory=QueryParams)
    form: FormData = field(default_factory=FormData)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def said(self, name: str) -> str:
        """Return a field of the form as text without blanks around it, empty if it is missing."""
        value = self.form.get(name)
        return value.strip() if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Done:
    """What an action came to.

    `details` goes to the audit; `location` is where the visitor goes next, empty
    to stay.  `html` goes where the button wants it (`hx-target`), in place of a
    notice: what is shown once.
    """

    text: str
    details: Mapping[str, Any] = field(default_factory=dict)
    location: str = ""
    html: str = ""


Read = Callable[[Visit], Mapping[str, Any]]
Act = Callable[[Visit], Done]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `nav` is its entry in the navigation, `seconds` how often it is looked at anew."""

    name: str
    title: str
    read: Read
    role: Role
    nav: str
    seconds: float

    @property
    def template(self) -> str:
        """Its template."""
        return f"admin/{self.name}.html"

    def context(self, visit: Visit) -> dict[str, Any]:
        """Return what the template is rendered with: what is read, and `visit`, `now`, `nav`."""
        read = dict(self.read(visit))
        return {"title": self.title, "nav": self.nav, "visit": visit, "now": visit.now} | read

    def live(self, visit: Visit) -> str:
        """Return the part that changes."""
        return render_block(self.template, "live", self.context(visit))


class PageRoute(Route):
    """The route of a page, by which the live updates find it."""

    def __init__(self, path: str, page: Page) -> None:
        super().__init__(path, _shown(page), methods=["GET"], name=f"page.{page.name}")
        self.page = page


class ActionRoute(Route):
    """The route of an action, with the role that it needs."""

    def __init__(self, path: str, act: Act, name: str, role: Role) -> None:
        super().__init__(path, _acted(act, name, role), methods=["POST"], name=name)
        self.role = role


def page(
    path: str,
    name: str,
    read: Read,
    *,
    title: str,
    role: Role = "viewer",
    nav: str = "",
    seconds: float = 2.0,
) -> PageRoute:
    """Declare a page: template `admin/<name>.html`, filled with what `read` returns.

    `read` runs in a thread and raises NotFound for what does not exist.
    """
    return PageRoute(path, Page(name, title, read, role, nav or name, seconds))


def action(path: str, act: Act, *, name: str, role: Role = "operator") -> ActionRoute:
    """Declare an action, a POST.  `act` runs in a thread and raises what speaks against it.

    Its row in the audit names `name` and what the path names: "queue graph".
    """
    return ActionRoute(path, act, name, role)


def _visit(request: Request, form: FormData | None = None) -> Visit:
    return Visit(
        principal_of(request), request.path_params, request.query_params, form or FormData()
    )


def _shown(page: Page) -> Callable[[Request], Any]:
    async def show(request: Request) -> Response:
        visit = _visit(request)
        if not visit.principal.may(page.role):
            return refused(request, 403, f"This page needs the role {page.role}.")
        try:
            return await run_in_threadpool(_page_response, page, request, visit)
        except NotFound as error:
            return refused(request, 404, str(error))

    return show


def _page_response(page: Page, request: Request, visit: Visit) -> Response:
    context = page.context(visit)
    own = _own_url(request)
    if request.headers.get("HX-Request"):
        html = render_block(page.template, "live", context)
        return HTMLResponse(html, headers={"HX-Push-Url": own, "Vary": "HX-Request"})
    flash = flash_of(request)
    context |= {
        "principal": visit.principal,
        "csrf": csrf_token(visit.principal),
        "live_url": f"/admin/live?page={segment(own)}",
        "flash": flash,
    }
    response = HTMLResponse(render(page.template, **context), headers={"Vary": "HX-Request"})
    if flash:
        response.delete_cookie(FLASH_COOKIE, path="/admin")
    return response


def _own_url(request: Request) -> str:
    raw = request.scope.get("raw_path") or request.url.path.encode()
    query = request.url.query
    path: str = raw.decode("latin-1").partition("?")[0]
    return f"{path}?{query}" if query else path


def _acted(act: Act, name: str, role: Role) -> Callable[[Request], Any]:
    async def perform(request: Request) -> Response:
        principal = principal_of(request)
        if not principal.may(role):
            return refused(request, 403, f"This needs the role {role}; yours is {principal.role}.")
        try:
            async with request.form() as form:  # closes the files in it
                done = await run_in_threadpool(_audited, act, name, _visit(request, form))
        except (HeadraceError, RedisError, PyMongoError) as error:
            field = getattr(error, "field", "")
            return refused(request, status_of(error), _reason(error), field=field)
        if done.html:
            return HTMLResponse(done.html, headers={"Cache-Control": "no-store"})
        return notice(request, 204, "ok", done.text, location=done.location)

    return perform


def _audited(act: Act, name: str, visit: Visit) -> Done:
    principal = visit.principal
    with audited(principal.name, name, _target(visit), role=principal.role) as entry:
        done = act(visit)
        entry.details.update(done.details)
    return done


def _target(visit: Visit) -> str:
    """Return what is acted on, as the path names it: "queue graph"."""
    return ", ".join(f"{key.removesuffix('_id')} {value}" for key, value in visit.path.items())


#: The HTTP status of each error, the first that fits.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (Gone, 404),
    (Conflict, 409),
    (NotNow, 409),
    (LeaseLost, 409),
    (ReauthRequired, 409),
    (Permanent, 400),
    (RateLimited, 429),
    (Misconfigured, 503),
    (Transient, 503),
    (RedisError, 503),
    (PyMongoError, 503),
)


def status_of(error: Exception) -> int:
    """Return the HTTP status that tells of `error`."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _reason(error: Exception) -> str:
    if isinstance(error, HeadraceError):
        return str(error)
    store = "Redis" if isinstance(error, RedisError) else "MongoDB"
    log.warning("action failed", extra={"reason": type(error).__name__})
    return f"{store} does not answer, so nothing was done or it is not known whether. Look again."


def refused(request: Request, status: int, text: str, *, field: str = "") -> Response:
    """Answer that it cannot be: a notice for scripts, by its field if it has one; else a page."""
    if request.headers.get("HX-Request") or request.method != "GET":
        return notice(request, status, "bad", text, field=field)
    return error_page(status, text)


def error_page(status: int, text: str) -> Response:
    """Return a page that says what is wrong."""
    return HTMLResponse(render("error.html", status=status, text=text), status)
