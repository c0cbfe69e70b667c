"""Every route of the application, whoever adds it: nothing answers with data to a stranger.

The routes are asked for from the application itself, those of mounted applications
too, so that a new page, action or endpoint is tested from its first day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from browsers import browser, signed_in
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from models import ALL, AdminUser, AuditLog, User
from pipeline import audit
from pipeline.stores import collection
from pipeline.web.app import create_app
from pipeline.web.pages import ActionRoute, PageRoute

SAFE = ("GET", "HEAD", "OPTIONS")
#: Who is in the stores while strangers ask; must never be in an answer.
SECRET = "ada-of-the-stores"
#: What is open to everybody, each with what it may show.  Adding here is a decision.
OPEN = {
    ("GET", "/healthz"): "whether the process lives",
    ("GET", "/readyz"): "whether stores answer",
    ("GET", "/admin/sign-in"): "a form",
    ("POST", "/admin/sign-in"): "a form",
    ("GET", "/admin/sign-in/oidc"): "a redirect",
    ("GET", "/admin/sign-in/oidc/callback"): "an error",
    ("GET", "/api/v1/openapi.json"): "the document of the API",
    ("GET", "/api/v1/docs"): "the document of the API",
}
#: Open, but each request proves by itself whom it is from; a stranger is refused.
BY_OTHER_MEANS = ("/api/v1/", "/webhooks/", "/connect/", "/metrics", "/u/", "/o/", "/c/")
#: 503: a webhook of something that is not set up.
REFUSED = (400, 401, 403, 404, 405, 413, 415, 422, 503)


@dataclass(frozen=True)
class Endpoint:
    """One route with one method; `path` has `x` for every parameter."""

    method: str
    path: str
    route: BaseRoute

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        return (self.method.replace("HEAD", "GET"), self.path) in OPEN

    @property
    def by_other_means(self) -> bool:
        return self.path.startswith(BY_OTHER_MEANS) and not self.is_open


def walk(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[Endpoint]:
    for context in iter_route_contexts(routes):  # of Starlette's routes, and of FastAPI's routers
        route = context.original_route
        path = prefix + re.sub(r"\{[^}]+\}", "x", context.path or "")
        if isinstance(route, Route):
            for method in sorted(context.methods or ()):
                yield Endpoint(method, path, route)
        elif isinstance(route, Mount):
            if not isinstance(route.app, StaticFiles):
                yield from walk(route.routes, path)
        else:
            raise AssertionError(f"teach this test what kind of route {type(route)} is")


@cache
def endpoints() -> list[Endpoint]:
    return list(walk(create_app().routes))


def closed() -> list[Endpoint]:
    return [e for e in endpoints() if not e.is_open and not e.by_other_means]


def actions() -> list[Endpoint]:
    return [e for e in endpoints() if isinstance(e.route, ActionRoute)]


@pytest.fixture(autouse=True)
def _somebody_is_there(stores: None) -> None:
    import datetime

    now = datetime.datetime.now(datetime.UTC)
    collection(User).insert_one({"_id": SECRET, "tenant_id": SECRET, "created_at": now})
    audit.record(SECRET, "user.erase", f"user {SECRET}")


def everything() -> dict[str, list[dict[str, Any]]]:
    """Return all that MongoDB holds, but what looking itself leaves behind."""
    return {
        model.__name__: list(collection(model).find().sort("_id", 1))
        for model in ALL
        if model.__name__ not in ("AdminSession", "AuditLog")
    }


def test_the_walk_finds_pages_actions_and_the_mounted_parts() -> None:
    found = {str(endpoint) for endpoint in endpoints()}
    assert {"GET /admin/audit", "POST /admin/sign-out", "GET /admin/live"} <= found
    assert len(actions()) > 5
    stale = set(OPEN) - {(endpoint.method, endpoint.path) for endpoint in endpoints()}
    assert not {path for _, path in stale if not path.startswith("/api/v1/")}, "OPEN names more"


def test_a_stranger_gets_nothing_but_the_way_to_the_sign_in() -> None:
    before = everything()
    client = browser()
    for endpoint in closed():
        for accept in ("text/html", "application/json", "text/event-stream", "*/*"):
            headers = {"Accept": accept}
            response = client.request(endpoint.method, endpoint.path, headers=headers)
            page = accept == "text/html" and endpoint.method in SAFE
            assert response.status_code == (303 if page else 401), endpoint
            if page:
                assert response.headers["location"].startswith("/admin/sign-in?next="), endpoint
            assert SECRET not in response.text, endpoint
    assert everything() == before
    assert collection(AuditLog).count_documents({}) == 1


def test_a_stranger_with_a_cookie_token_or_header_of_his_own_gets_no_more() -> None:
    client = browser()
    client.cookies.set("headrace_session", "WyJ4IiwieCJd.aaaaaa.bbbbbbbbbbbb")
    client.cookies.set("__Host-headrace_session", "WyJ4IiwieCJd.aaaaaa.bbbbbbbbbbbb")
    client.headers |= {"X-CSRF-Token": "x", "Authorization": "Bearer x", "X-User": "admin"}
    for endpoint in closed():
        response = client.request(endpoint.method, endpoint.path)
        assert response.status_code in (303, 401), endpoint
        assert SECRET not in response.text, endpoint


def test_no_way_of_writing_an_address_leads_past_the_sign_in() -> None:
    client = browser()
    for path in (
        "/admin/", "/admin//queues", "//admin/queues", "/ADMIN/queues", "/admin/sign-inx",
        "/static/../admin/queues", "/static/%2e%2e/admin/queues", "/healthz/../admin/queues",
        "/webhooks%2f..%2fadmin%2fqueues", "/admin%2fqueues", "/admin/queues;x=1", "/x",
        "/%61dmin/queues", "/admin/sign-in/../queues", "/api/v1/../../admin/queues",
        "/admin/queues%00", "/admin/%2e/queues", "/connect/..%2f..%2fadmin/queues",
    ):  # fmt: skip
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"):
            response = client.request(method, path, headers={"Accept": "*/*"})
            assert response.status_code in REFUSED, (method, path, response.status_code)
            assert SECRET not in response.text


def test_what_knows_its_callers_by_other_means_refuses_a_stranger() -> None:
    before = everything()
    client = browser(address="203.0.113.9")
    checked = 0
    for endpoint in endpoints():
        if not endpoint.by_other_means:
            continue
        for headers in ({}, {"Authorization": "Bearer hr_x"}, {"Content-Type": "application/json"}):
            response = client.request(endpoint.method, endpoint.path, headers=headers)
            assert response.status_code in REFUSED, (endpoint, response.status_code)
            assert SECRET not in response.text, endpoint
            checked += 1
    assert checked
    assert everything() == before


def test_what_is_open_to_all_tells_nothing_of_anybody() -> None:
    client = browser()
    for method, path in OPEN:
        response = client.request(method, path)
        assert response.status_code < 500, path
        assert SECRET not in response.text, path


def test_every_way_to_change_something_refuses_without_the_pages_token() -> None:
    before = everything()
    client = signed_in("admin")
    accounts_before = list(collection(AdminUser).find())
    del client.headers["X-CSRF-Token"]
    for endpoint in endpoints():
        if endpoint.method in SAFE or endpoint.by_other_means or endpoint.is_open:
            continue
        for headers in ({}, {"HX-Request": "true"}):
            assert (
                client.request(endpoint.method, endpoint.path, headers=headers).status_code == 403
            )
        foreign = {"Origin": "https://evil.example"}
        assert client.request(endpoint.method, endpoint.path, headers=foreign).status_code == 403
    assert list(collection(AdminUser).find()) == accounts_before
    assert {**everything(), "AdminUser": []} == {**before, "AdminUser": []}
    assert collection(AuditLog).count_documents({}) == 1


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_every_action_refuses_who_lacks_its_role_and_writes_no_row(role: Any) -> None:
    client = signed_in(role)
    ranks = ("viewer", "operator", "admin")
    tried = 0
    for endpoint in actions():
        route = endpoint.route
        assert isinstance(route, ActionRoute)
        if ranks.index(route.role) <= ranks.index(role):
            continue
        response = client.post(endpoint.path, headers={"HX-Request": "true"})
        assert response.status_code == 403, endpoint
        assert f"needs the role {route.role}" in response.headers["hx-trigger"], endpoint
        tried += 1
    assert tried
    assert collection(AuditLog).count_documents({}) == 1


def test_a_viewer_may_do_nothing_but_sign_out() -> None:
    for_viewers = {
        str(endpoint)
        for endpoint in actions()
        if isinstance(endpoint.route, ActionRoute) and endpoint.route.role == "viewer"
    }
    assert for_viewers == {"POST /admin/settings/sign-out-everywhere"}


def test_whatever_changes_something_in_the_admin_is_an_action_or_the_sign_in() -> None:
    others = {
        str(endpoint)
        for endpoint in endpoints()
        if endpoint.method not in SAFE
        and not endpoint.by_other_means
        and not isinstance(endpoint.route, ActionRoute)
    }
    assert others == {"POST /admin/sign-in", "POST /admin/sign-out"}


def test_pages_and_actions_have_names_of_their_own() -> None:
    names = [e.route.name for e in actions() if isinstance(e.route, ActionRoute)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", name) for name in names)
    pages = [e.route.page.name for e in endpoints() if isinstance(e.route, PageRoute)]
    assert pages
