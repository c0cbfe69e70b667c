"""Signing in and out with a password, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from browsers import PASSWORD, account, browser, principal_in, signed_in
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from models import AdminSession, AdminUser, AuditLog
from pipeline import audit
from pipeline.stores import collection, redis_client
from pipeline.web.access import accounts, passwords, remembered, sessions

Setting = Callable[..., None]


@pytest.fixture(scope="module")
def password_hash() -> str:
    return passwords.hashed(PASSWORD)


@pytest.fixture
def ada(stores: None, password_hash: str) -> None:
    """An admin called ada."""
    account("ada")
    collection(AdminUser).update_one({"_id": "ada"}, {"$set": {"password_hash": password_hash}})


def enter(client: TestClient, name: str = "ada", password: str = PASSWORD, **more: str) -> int:
    fields = {"name": name, "password": password, **more}
    return client.post("/admin/sign-in", data=fields).status_code


def test_name_and_password_lead_to_the_page_that_was_asked_for(ada: None) -> None:
    client = browser()
    away = client.get("/admin/audit?actor=ada")
    assert away.status_code == 303
    assert away.headers["location"] == "/admin/sign-in?next=%2Fadmin%2Faudit%3Factor%3Dada"
    page = client.get(away.headers["location"])
    assert 'value="/admin/audit?actor=ada"' in page.text
    fields = {"name": " Ada ", "password": PASSWORD, "next": "/admin/audit?actor=ada"}
    entered = client.post("/admin/sign-in", data=fields)
    assert (entered.status_code, entered.headers["location"]) == (303, "/admin/audit?actor=ada")
    assert principal_in(client).name == "ada"
    assert accounts.get("ada").last_sign_in_at is not None


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(ada: None, setting: Setting) -> None:
    fields = {"name": "ada", "password": PASSWORD}
    plain = browser().post("/admin/sign-in", data=fields).headers["set-cookie"]
    assert plain.startswith("headrace_session=")
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"):
        assert attribute in plain
    assert "Secure" not in plain
    setting(PUBLIC_BASE_URL="https://headrace.example")
    client = browser(host="https://headrace.example")
    secure = client.post("/admin/sign-in", data=fields).headers["set-cookie"]
    assert secure.startswith("__Host-headrace_session=")
    assert "Secure" in secure
    assert "Domain" not in secure


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(ada: None) -> None:
    answers = []
    for name, password in (("ada", "wrong-wrong-wrong"), ("nobody", PASSWORD)):
        response = browser().post("/admin/sign-in", data={"name": name, "password": password})
        answers.append((response.status_code, response.text.replace(f'value="{name}"', "")))
        assert "set-cookie" not in response.headers
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


def test_what_was_typed_is_kept_nowhere_if_it_may_be_a_password(ada: None) -> None:
    assert enter(browser(), "hunter2-typed-here", "another-secret") == 401
    assert enter(browser(), "ada", "another-secret") == 401
    rows = list(collection(AuditLog).find())
    assert [row["actor"] for row in rows] == ["unknown", "ada"]
    everything = f"{rows} {redis_client().keys('*')}"
    assert "hunter2" not in everything
    assert "another-secret" not in everything
    assert "203.0.113.9" not in everything


def test_signing_in_begins_a_session_under_a_new_id_and_ends_the_old_one(ada: None) -> None:
    client = browser()
    assert enter(client) == 303
    first = principal_in(client).session_id
    assert enter(client) == 303
    assert principal_in(client).session_id != first
    assert collection(AdminSession).count_documents({}) == 1
    assert first not in str(list(collection(AdminSession).find()))


def test_signing_out_ends_the_session_and_not_only_the_cookie(ada: None) -> None:
    client = signed_in()
    cookie = dict(client.cookies)
    assert client.post("/admin/sign-out").headers["location"] == "/admin/sign-in"
    assert not client.cookies
    client.cookies.update(cookie)
    assert client.get("/admin/queues").status_code == 303
    assert [entry.action for entry in audit.entries()] == ["session.sign_out"]


def test_who_is_signed_in_is_not_asked_again(ada: None) -> None:
    response = signed_in().get("/admin/sign-in?next=/admin/users")
    assert (response.status_code, response.headers["location"]) == (303, "/admin/users")


def test_without_accounts_the_page_says_how_to_make_one(stores: None) -> None:
    assert "headrace admin create-user" in browser().get("/admin/sign-in").text
    account("ada")
    assert "headrace admin create-user" not in browser().get("/admin/sign-in").text


@pytest.mark.parametrize(
    "take_away",
    [
        lambda: accounts.disable("ada"),
        lambda: accounts.set_role("ada", "viewer"),
        lambda: accounts.set_password("ada", "quite-another-one"),
        lambda: accounts.end_sessions("ada"),
        lambda: accounts.delete("ada"),
        lambda: collection(AdminSession).update_many(
            {"user": "ada"}, {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}
        ),
    ],
    ids=["disabled", "role", "password", "signed out everywhere", "deleted", "expired"],
)
def test_whoever_loses_rights_is_signed_out(
    ada: None, monkeypatch: pytest.MonkeyPatch, take_away: Callable[[], object]
) -> None:
    monkeypatch.setattr(remembered, "TRUST_SECONDS", 0.0)
    account("another")
    client = signed_in(name="ada")
    assert client.get("/admin/sign-in").status_code == 303
    take_away()
    assert client.get("/admin/sign-in").status_code == 200
    assert client.get("/admin/queues").status_code == 303


def test_a_session_that_was_made_of_an_outdated_account_is_none(ada: None) -> None:
    outdated = accounts.get("ada")
    accounts.set_password("ada", "quite-another-one")
    claim = sessions.claim_of(sessions.begin(outdated, "password", ""))
    assert claim
    assert sessions.look_up(claim) is None


def test_a_disabled_account_is_answered_like_a_wrong_password(ada: None) -> None:
    account("another")
    accounts.disable("ada")
    assert enter(browser()) == 401
    accounts.enable("ada")
    assert enter(browser()) == 303


def test_an_outdated_hash_is_made_anew_at_the_sign_in(ada: None) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    collection(AdminUser).update_one({"_id": "ada"}, {"$set": {"password_hash": weak}})
    assert enter(browser()) == 303
    row = collection(AdminUser).find_one({"_id": "ada"})
    assert row
    assert not passwords.is_outdated(row["password_hash"])
    assert enter(browser()) == 303


def test_after_some_failures_even_the_right_password_has_to_wait(ada: None) -> None:
    limited = {"method": "password", "outcome": "limited"}
    before = REGISTRY.get_sample_value("headrace_web_sign_ins_total", limited) or 0
    for _ in range(5):
        assert enter(browser(), password="wrong-wrong-wrong") == 401
    response = browser().post("/admin/sign-in", data={"name": "ADA", "password": PASSWORD})
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) in (1, 2)
    assert REGISTRY.get_sample_value("headrace_web_sign_ins_total", limited) == before + 1
    assert len(audit.entries()) == 5


def test_a_sign_in_that_another_site_sends_is_refused(ada: None) -> None:
    fields = {"name": "ada", "password": PASSWORD}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://headrace.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://headrace.example", "Sec-Fetch-Site": "none"},
    ):
        response = browser().post("/admin/sign-in", data=fields, headers=headers)
        assert response.status_code == 403, headers
    client = browser()
    del client.headers["Origin"]
    assert client.post("/admin/sign-in", data=fields).status_code == 403


def test_fields_that_are_files_or_missing_are_no_sign_in(ada: None) -> None:
    client = browser()
    assert client.post("/admin/sign-in", data={}).status_code == 401
    files = {"name": ("x", b"ada"), "password": ("y", PASSWORD.encode())}
    assert client.post("/admin/sign-in", files=files).status_code == 400
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"name=a%00b&password=%ED%A0%BD", b"name=\xff\xfe&password=%zz", b"&&=&"):
        answer = client.post("/admin/sign-in", content=body, headers=form)
        assert answer.status_code == 401, body
