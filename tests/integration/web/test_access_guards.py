"""What stands before every route: sessions, origins, tokens, sizes and headers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsers import HOST, account, browser, principal_in, signed_in
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from pipeline import audit
from pipeline.config import settings
from pipeline.stores import mongodb
from pipeline.web.access import csrf_token, remembered, sessions
from pipeline.web.access.bodies import BodyLimit
from pipeline.web.stores import prober

Setting = Callable[..., None]
ACTION = "/admin/settings/sign-out-everywhere"


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("headrace_web_refused_total", {"reason": reason}) or 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "text/html"}, 303),
        ({"Accept": "application/json"}, 401),
        ({"Accept": "text/event-stream"}, 401),
        ({"Accept": "text/html", "HX-Request": "true"}, 401),
    ],
)
@pytest.mark.parametrize("path", ["/", "/admin", "/admin/audit", "/nothing/here", "/docs"])
def test_without_a_session_people_are_sent_to_the_sign_in_and_programs_away(
    stores: None, path: str, headers: dict[str, str], status: int
) -> None:
    assert browser().get(path, headers=headers).status_code == status


def test_a_page_whose_session_is_over_leads_back_to_itself(stores: None) -> None:
    current = {"HX-Request": "true", "HX-Current-URL": f"{HOST}/admin/audit?actor=ada"}
    response = browser().get("/admin/audit", headers=current)
    assert response.headers["hx-redirect"] == "/admin/sign-in?next=%2Fadmin%2Faudit%3Factor%3Dada"
    evil = browser().get("/admin/audit", headers=current | {"HX-Current-URL": "//evil.example/x"})
    assert evil.headers["hx-redirect"] == "/admin/sign-in?next=%2Fadmin%2Fqueues"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://headrace.example.evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_what_another_site_sends_in_a_visitors_name_is_refused_and_counted(
    stores: None, headers: dict[str, str]
) -> None:
    client, before = signed_in(), refusals("foreign_origin")
    assert client.post(ACTION, headers=headers).status_code == 403
    assert refusals("foreign_origin") == before + 1
    assert audit.entries() == []


def test_an_action_takes_the_token_as_header_or_field_and_no_other(stores: None) -> None:
    client, other = signed_in("viewer"), signed_in("viewer")
    token = client.headers.pop("X-CSRF-Token")
    before = refusals("csrf")
    for headers, fields in (
        ({}, {}),
        ({"X-CSRF-Token": "rubbish"}, {}),
        ({"X-CSRF-Token": other.headers["X-CSRF-Token"]}, {}),
        ({}, {"csrf_token": "rubbish"}),
    ):
        assert client.post(ACTION, headers=headers, data=fields).status_code == 403
    # Neither a form that cannot be read nor one that another type of content hides.
    broken = {"Content-Type": "multipart/form-data"}
    assert client.post(ACTION, content=b"--x", headers=broken).status_code == 403
    assert client.post(ACTION, json={"csrf_token": token}).status_code == 403
    assert refusals("csrf") == before + 6
    assert client.post(ACTION, data={"csrf_token": token}).status_code == 303
    assert [entry.action for entry in audit.entries()] == ["session.sign_out_everywhere"]


def test_a_multipart_form_reaches_its_action_whole(stores: None) -> None:
    account("bob", "viewer")
    client = signed_in()
    token = client.headers.pop("X-CSRF-Token")
    files = {"csrf_token": (None, token), "role": (None, "operator")}
    response = client.post("/admin/settings/accounts/bob/role", files=files)
    assert response.status_code == 303
    assert [entry.details for entry in audit.entries()] == [{"role": "operator"}]


def test_the_public_address_is_an_origin_of_ours_too(stores: None, setting: Setting) -> None:
    setting(PUBLIC_BASE_URL="http://public.example/")
    assert signed_in().post(ACTION, headers={"Origin": "http://public.example"}).status_code == 303


@pytest.mark.parametrize("length", ["1048577", "99999999999999999999", "-1", "x"])
def test_a_body_that_says_that_it_is_too_long_is_not_read(stores: None, length: str) -> None:
    before = refusals("too_large")
    headers = {"Content-Length": length}
    assert browser().post("/admin/sign-in", content=b"", headers=headers).status_code == 413
    assert refusals("too_large") == before + 1


@pytest.mark.parametrize("path", ["/admin/sign-in", ACTION])
def test_a_body_of_no_said_length_is_cut_off(stores: None, path: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b"name=" + b"x" * 65_536 + b"&"

    client = signed_in()
    del client.headers["X-CSRF-Token"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(path, content=pieces(), headers=form).status_code == 413


def test_the_longest_fitting_prefix_says_how_long_a_body_may_be() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(body["body"])).encode()})

    client = TestClient(BodyLimit(app, 10, {"/a/": 20, "/a/b/": 5}))
    for path, size, status in (
        ("/", 10, 200), ("/", 11, 413), ("/a/", 20, 200), ("/a/", 21, 413), ("/a/b/c", 6, 413)
    ):  # fmt: skip
        assert client.post(path, content=b"x" * size).status_code == status, path


def test_every_answer_has_the_headers_and_only_files_may_be_kept(stores: None) -> None:
    client = browser()
    for path in ("/admin/sign-in", "/admin/queues", "/healthz", "/nothing", "/static/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in headers
    assert client.get("/admin/sign-in").headers["cache-control"] == "no-store"
    assert client.post("/admin/nothing").headers["cache-control"] == "no-store"
    assert client.get("/static/app.css").headers.get("cache-control") != "no-store"
    secure = browser(host="https://headrace.example").get("/admin/sign-in").headers
    assert secure["strict-transport-security"] == "max-age=31536000"


@pytest.fixture
def mongodb_down(stores: None, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A call that makes MongoDB a place where nobody answers; nothing is remembered."""
    from pymongo import MongoClient

    nowhere = MongoClient[dict[str, Any]](
        "mongodb://127.0.0.1:1/headrace", serverSelectionTimeoutMS=100, connect=False
    )

    def take_down() -> None:
        monkeypatch.setattr(remembered, "TRUST_SECONDS", 0.0)
        for module in ("pipeline.stores", "pipeline.web.access.accounts"):
            monkeypatch.setattr(f"{module}.mongodb", lambda: nowhere.get_default_database())
        prober().note("mongodb", "MongoDB does not answer")
        monkeypatch.setattr(prober(), "_asked_at", time.monotonic() + 600)

    yield take_down
    nowhere.close()
    prober()._ask_anew()
    assert mongodb().client


def test_while_mongodb_is_down_one_may_look_as_a_viewer_but_not_act(mongodb_down: Any) -> None:
    client, before = signed_in(), refusals("uncertain")
    mongodb_down()
    assert principal_in(client).role == "viewer"
    assert not principal_in(client).certain
    assert client.get("/admin/settings").status_code == 200
    response = client.post(ACTION, headers={"HX-Request": "true"})
    assert response.status_code == 503
    assert "MongoDB does not answer" in response.headers["hx-trigger"]
    assert refusals("uncertain") == before + 1


def test_while_mongodb_is_down_nobody_signs_in_but_anybody_out(mongodb_down: Any) -> None:
    client = signed_in()
    mongodb_down()
    assert "MongoDB does not answer" in client.get("/admin/sign-in").text
    fields = {"name": "ada", "password": "whatever-it-is"}
    assert browser().post("/admin/sign-in", data=fields).status_code == 503
    assert client.post("/admin/sign-out").status_code == 303
    assert not client.cookies


def test_while_mongodb_is_down_a_forged_or_outdated_cookie_opens_nothing(
    mongodb_down: Any, setting: Setting
) -> None:
    client = signed_in()
    [cookie] = client.cookies.jar
    mongodb_down()
    forged = browser()
    forged.cookies.set("headrace_session", f"{cookie.value}x")
    assert forged.get("/admin/settings").status_code == 303
    setting(WEB_SESSION_HOURS="0.0000001")
    time.sleep(1.1)  # the signature has a time of whole seconds
    assert client.get("/admin/settings").status_code == 303


def test_a_session_is_looked_up_once_in_a_while(stores: None) -> None:
    client = signed_in()
    claim = sessions.claim_of(next(iter(client.cookies.jar)).value or "")
    assert claim
    answer = remembered.remembered.get(claim.session_id)
    assert answer
    assert answer.principal
    assert client.get("/admin/settings").status_code == 200
    assert remembered.remembered.get(claim.session_id) is answer


def test_remembered_answers_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_MOST", 3)
    some = remembered.Remembered()
    for number in range(5):
        some.put(str(number), None)
    assert [bool(some.get(str(number))) for number in range(5)] == [False, False, True, True, True]


def test_a_token_of_this_session_is_in_its_pages(stores: None) -> None:
    client = signed_in()
    page = client.get("/admin/settings").text
    assert f'<meta name="csrf-token" content="{csrf_token(principal_in(client))}">' in page
    assert settings().encryption_keys.get_secret_value() not in page
