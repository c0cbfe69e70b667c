"""Whatever goes wrong while connecting: a clear page, the right status, and nothing half done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from visits import Visits, connection_of, dead_redis, ended, query_of, statuses_of

from models import Connection
from pipeline.sandbox.app import running
from pipeline.stores import collection, redis_client
from pipeline.web.access import signing
from pipeline.web.connect import flows, links
from pipeline.web.connect.links import connect_link

Setting = Callable[..., None]


def nothing_happened(user_id: str = "ada") -> bool:
    return connection_of(user_id) is None and statuses_of(user_id) == {}


def callback(visits: Visits, **query: str) -> str:
    address = requests.Request("GET", f"{visits.web_url}/connect/google/callback", params=query)
    return str(address.prepare().url)


@pytest.mark.parametrize("token", ["", "x", "x.y.z", "\x00", "a" * 5000, "ü.ü.ü"])
def test_a_garbled_link_is_refused(visits: Visits, token: str) -> None:
    before = ended("link_invalid")
    answer = requests.get(f"{visits.web_url}/connect/google", params={"t": token}, timeout=10)
    assert answer.status_code == 400
    assert "This link does not work" in answer.text
    assert ended("link_invalid") == before + 1


def test_an_expired_link_is_gone(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "LONGEST_SECONDS", 1e9)
    said = signing.signed("connect-link", query_of(connect_link("ada"))["t"], max_age_seconds=60)
    token = signing.sign("connect-link", said | {"expires_at": said["expires_at"] - 3601})
    for method in ("GET", "POST"):
        answer = requests.request(
            method,
            f"{visits.web_url}/connect/google",
            params={"t": token},
            data={"t": token, "google_tasks": "1"},
            headers={"Origin": visits.web_url},
            timeout=10,
        )
        assert answer.status_code == 410
        assert "This link has expired" in answer.text


def test_what_others_sign_for_other_purposes_is_no_link(visits: Visits) -> None:
    token = signing.sign("session", {"user_id": "ada"})
    answer = requests.get(f"{visits.web_url}/connect/google", params={"t": token}, timeout=10)
    assert answer.status_code == 400


def test_a_provider_that_is_not_in_the_table_is_not_found(visits: Visits) -> None:
    for path in ("outlook?t=x", "outlook/callback?state=x", "<script>"):
        answer = requests.get(f"{visits.web_url}/connect/{path}", timeout=10)
        assert answer.status_code == 404
        assert "those of Google" in answer.text
    assert ended("unknown_provider", "unknown")


def test_a_form_of_another_site_is_refused(visits: Visits) -> None:
    browser = visits.browser()
    browser.open(connect_link("ada"))
    for origin in ("https://evil.example", "null", None):
        browser.headers = {"Origin": origin} if origin else {}
        assert browser.submit(browser.forms[0], "Continue to Google").status_code == 403
        browser.open(connect_link("ada"))


def test_at_least_one_box_must_be_ticked(visits: Visits) -> None:
    browser = visits.browser()
    browser.open(connect_link("ada", sources=["google_tasks"]))
    assert browser.press("Continue to Google", "google_tasks").status_code == 400
    assert "Tick at least one box" in browser.answer.text
    browser.press("Continue to Google")
    assert browser.visited[0].startswith(visits.sandbox.base_url)


def test_a_form_asks_for_no_more_than_its_link(visits: Visits) -> None:
    browser = visits.browser()
    browser.open(connect_link("ada", sources=["google_tasks"]))
    form = browser.form_with("Continue to Google")
    form.fields.append(("google_gmail", "1"))
    browser.submit(form, "Continue to Google")
    assert "gmail" not in query_of(browser.visited[0])["scope"]


def test_who_declines_is_told_how_to_come_back(visits: Visits) -> None:
    account = visits.account()
    browser = visits.leave("ada", return_to="https://app.example/")
    browser.press(account)
    browser.press("Cancel")
    assert browser.answer.status_code == 403
    assert "Nothing was connected" in browser.answer.text
    assert "https://app.example/?status=denied&amp;provider=google" in browser.answer.text
    assert "/connect/google?t=" in browser.answer.text
    assert nothing_happened()


def test_who_grants_nothing_has_connected_nothing(visits: Visits) -> None:
    scopes = [f"{name}.readonly" for name in ("calendar", "gmail", "contacts", "tasks")]
    browser = visits.connect("ada", visits.account(), *scopes)
    assert browser.answer.status_code == 403
    assert nothing_happened()


def test_what_the_provider_says_is_not_repeated(visits: Visits) -> None:
    browser = visits.leave("ada")
    state = query_of(browser.visited[0])["state"]
    said = "<script>alert(1)</script>"
    browser.open(callback(visits, state=state, error=said, error_description=said))
    assert browser.answer.status_code == 502
    assert "alert(1)" not in browser.answer.text


@pytest.mark.parametrize("state", ["", "x", "x" * 43, "ü" * 43, "<script>", "a" * 9000])
def test_an_unknown_state_is_refused(visits: Visits, state: str) -> None:
    answer = requests.get(callback(visits, state=state, code="4/0x"), timeout=10)
    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_a_state_that_is_too_old_is_refused(visits: Visits) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    [key] = redis_client().keys("headrace:connect:*")
    assert 0 < redis_client().ttl(key) <= 600
    redis_client().delete(key)
    assert browser.open(url).status_code == 400
    assert "This took too long" in browser.answer.text
    assert nothing_happened()


def test_a_callback_works_once(visits: Visits) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    assert browser.open(url).status_code == 200
    connection = connection_of("ada")
    assert browser.open(url).status_code == 409
    assert "This was finished already" in browser.answer.text
    assert connection_of("ada") == connection


def test_a_callback_works_in_its_own_browser_only(visits: Visits) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    stranger = visits.browser()
    assert stranger.open(url).status_code == 403
    other = visits.leave("eve")
    assert other.open(url).status_code == 403
    assert nothing_happened()
    assert browser.open(url).status_code == 200


@pytest.mark.parametrize("query", [{}, {"code": ""}, {"code": "4/0forged"}])
def test_a_code_that_google_does_not_know_is_refused(visits: Visits, query: dict[str, str]) -> None:
    browser = visits.leave("ada")
    state = query_of(browser.visited[0])["state"]
    assert browser.open(callback(visits, state=state, **query)).status_code == 400
    assert "Try again" in browser.answer.text
    assert nothing_happened()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "params": {"code": 503}},
        {"kind": "drop"},
        {"kind": "invalid_json"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
@pytest.mark.parametrize("method", ["token", "certs"])
def test_a_provider_in_trouble_can_be_tried_again(
    visits: Visits, fault: dict[str, Any], method: str
) -> None:
    account = visits.account()
    browser, url = visits.callback_of("ada", account)
    visits.sandbox.fault(match={"api": "oauth", "method": method}, **fault)
    assert browser.open(url).status_code == 503
    assert "did not work just now" in browser.answer.text
    assert nothing_happened()
    visits.connect("ada", account, browser=browser)
    assert "Google is connected" in browser.answer.text


def test_a_provider_that_is_down_is_a_page_too(visits: Visits, setting: Setting) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    setting(GOOGLE_OAUTH_BASE_URL="http://127.0.0.1:1")
    assert browser.open(url).status_code == 503
    assert nothing_happened()


def test_an_id_token_that_others_signed_is_refused(visits: Visits, setting: Setting) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    with running() as other:
        setting(GOOGLE_CERTS_URL=f"{other}/oauth2/v1/certs")
        assert browser.open(url).status_code == 400
    assert nothing_happened()


def test_without_a_client_the_operator_is_told_what_to_set(
    visits: Visits, setting: Setting
) -> None:
    setting(GOOGLE_CLIENT_ID="", GOOGLE_CLIENT_SECRET="")
    answer = requests.get(connect_link("ada"), timeout=10)
    assert answer.status_code == 503
    assert "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET must be set" in answer.text


def test_a_client_that_google_refuses_is_the_operators_matter(
    visits: Visits, setting: Setting
) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    setting(GOOGLE_CLIENT_SECRET="wrong-secret")
    assert browser.open(url).status_code == 503
    assert "invalid_client" in browser.answer.text
    assert "wrong-secret" not in browser.answer.text
    assert nothing_happened()


def test_access_that_would_not_last_is_not_stored(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    browser = visits.browser()
    browser.hosts = (visits.sandbox.base_url,)
    visits.leave("ada", browser=browser)
    # Google gives no second refresh token unasked, and the first is lost meanwhile.
    collection(Connection).delete_many({})
    browser.hosts = (visits.web_url, visits.sandbox.base_url)
    assert browser.open(browser.visited[-1]).status_code == 409
    assert "Access would end within the hour" in browser.answer.text
    assert connection_of("ada") is None
    visits.connect("ada", "ada@sandbox.example", browser=browser)
    assert "Google is connected" in browser.answer.text


def test_without_redis_nothing_begins(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = visits.browser()
    browser.open(connect_link("ada"))
    monkeypatch.setattr(flows, "impatient_redis_client", dead_redis)
    assert browser.press("Continue to Google").status_code == 503
    assert browser.answer.headers["retry-after"]
    assert "Try again" in browser.answer.text


def test_the_pages_carry_no_scripts_and_keep_their_address_to_themselves(visits: Visits) -> None:
    answer = requests.get(connect_link("ada <b>"), timeout=10)
    assert "ada &lt;b&gt;" in answer.text
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert f"form-action 'self' {visits.sandbox.base_url}" in policy
