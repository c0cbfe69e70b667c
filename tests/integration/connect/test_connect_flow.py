"""Connecting an account in the browser, from the application's link to data that flows."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from visits import (
    AUTH,
    SOURCES,
    Visits,
    connection_of,
    dead_redis,
    ended,
    query_of,
    refresh_token_of,
    state_of,
    statuses_of,
)
from waiting import wait_until

from models import Record, User
from pipeline.clients.grants import Grant
from pipeline.connect import OtherAccount, connect_grant, start_syncing
from pipeline.jobs import scripts
from pipeline.jobs.reading import depth
from pipeline.queues import DATA_SYNC, WEBHOOK_RENEWAL
from pipeline.stores import collection
from pipeline.sync.engine import sync


def test_a_user_connects_and_the_data_flows(visits: Visits) -> None:
    account = visits.account(events=3)
    before = ended("connected")
    browser = visits.connect("u-1", account, tenant_id="acme")
    assert browser.answer.status_code == 200
    assert "Google is connected" in browser.answer.text
    connection = connection_of("u-1")
    assert connection
    assert (connection["status"], connection["broker"]) == ("active", "own")
    assert (connection["email"], connection["account_id"][0]) == (account, "1")
    assert set(statuses_of("u-1")) == set(SOURCES)
    assert collection(User).find_one({"_id": "u-1"}, {"_id": 0, "tenant_id": 1}) == {
        "tenant_id": "acme"
    }
    assert ended("connected") == before + 1
    wait_until(lambda: depth(DATA_SYNC.name).waiting == 4, "the syncs are queued")
    wait_until(lambda: depth(WEBHOOK_RENEWAL.name).waiting == 2, "the subscriptions are queued")
    assert sync("u-1", "google_calendar").outcome == "succeeded"
    events = {"user_id": "u-1", "source": "google_calendar", "stream": {"$regex": "^events"}}
    assert collection(Record).count_documents(events)


def test_google_is_asked_as_it_should_be(visits: Visits) -> None:
    browser = visits.leave("ada", "google_gmail", "google_tasks")
    asked = query_of(browser.visited[0])
    assert browser.visited[0].startswith(f"{visits.sandbox.base_url}/o/oauth2/v2/auth?")
    assert asked["redirect_uri"] == f"{visits.web_url}/connect/google/callback"
    assert set(asked["scope"].split()) == {
        "openid",
        f"{AUTH}userinfo.email",
        f"{AUTH}calendar.readonly",
        f"{AUTH}contacts.readonly",
    }
    expected = {
        "response_type": "code",
        "access_type": "offline",
        "include_granted_scopes": "true",
        "prompt": "consent",
        "code_challenge_method": "S256",
    }
    assert {name: asked[name] for name in expected} == expected
    assert len(asked["state"]) == 43
    assert asked["nonce"]
    cookie = next(iter(browser.session.cookies))
    assert (cookie.name, cookie.path) == ("headrace_connect", "/")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"


def test_who_connects_again_is_asked_only_for_what_is_new(visits: Visits) -> None:
    account = visits.account()
    visits.connect("ada", account, sources=["google_calendar"])
    first = refresh_token_of("ada")
    browser = visits.leave("ada", sources=["google_tasks"])
    asked = query_of(browser.visited[0])
    assert (asked["login_hint"], asked.get("prompt")) == (account, None)
    browser.press("Continue")
    assert "Google is connected" in browser.answer.text
    assert set(statuses_of("ada")) == {"google_calendar", "google_tasks"}
    connection = connection_of("ada")
    assert connection
    assert {f"{AUTH}calendar.readonly", f"{AUTH}tasks.readonly"} < set(connection["granted_scopes"])
    # Google gave no other one, so the first is still the one that counts.
    assert refresh_token_of("ada") == first
    assert sync("ada", "google_tasks").outcome == "succeeded"


def test_only_what_was_granted_is_opened(visits: Visits) -> None:
    browser = visits.connect("ada", visits.account(), "gmail.readonly")
    assert "Gmail was not granted" in browser.answer.text
    assert set(statuses_of("ada")) == set(SOURCES) - {"google_gmail"}
    again = next(url for url in _links(browser.answer) if "/connect/google?t=" in url)
    browser.open(again)
    assert [offer for offer in SOURCES if offer in browser.answer.text] == ["google_gmail"]
    browser.press("Continue to Google")
    browser.press("Continue")
    assert set(statuses_of("ada")) == set(SOURCES)


def test_a_source_whose_scope_is_gone_waits_alone(visits: Visits) -> None:
    account = visits.account()
    visits.connect("ada", account)
    visits.sandbox.tokens("ada", "scopes", ["openid", f"{AUTH}userinfo.email"])
    visits.connect("ada", account, "tasks.readonly")
    statuses = statuses_of("ada")
    assert statuses.pop("google_tasks") == "needs_reauth"
    assert set(statuses.values()) == {"idle"}
    assert state_of("ada", "google_tasks")["last_error"]["class"] == "ReauthRequired"


def test_reconnecting_keeps_history_and_is_due_at_once(visits: Visits) -> None:
    account = visits.account(events=4)
    visits.connect("ada", account)
    sync("ada", "google_calendar")
    before = state_of("ada", "google_calendar")
    records = collection(Record).count_documents({"user_id": "ada"})
    visits.sandbox.tokens("ada", "revoke")
    assert sync("ada", "google_calendar", force=True).outcome == "needs_reauth"
    visits.connect("ada", account)
    after = state_of("ada", "google_calendar")
    assert (after["status"], after["streams"], after["seq"]) == (
        "idle",
        before["streams"],
        before["seq"],
    )
    report = sync("ada", "google_calendar")
    assert (report.outcome, report.counts.created) == ("succeeded", 0)
    assert collection(Record).count_documents({"user_id": "ada"}) == records


def test_another_account_is_refused_and_changes_nothing(visits: Visits) -> None:
    first, second = visits.account("ada"), visits.account("bob")
    visits.connect("u-1", first)
    before = connection_of("u-1")
    visits.sandbox.tokens("ada", "revoke")
    assert sync("u-1", "google_tasks").outcome == "needs_reauth"
    known = connection_of("u-1")
    browser = visits.leave("u-1")
    query = urlsplit(browser.visited[0])
    # At Google people can choose another account than the one that is proposed.
    browser.open(query._replace(query=query.query.replace("login_hint", "x")).geturl())
    browser.press(second)
    browser.press("Continue")
    assert browser.answer.status_code == 409
    assert "This is another account" in browser.answer.text
    assert connection_of("u-1") == known
    assert before
    assert known
    assert known["account_id"] == before["account_id"]


def test_a_link_may_allow_another_account_and_the_copy_becomes_its(visits: Visits) -> None:
    first, second = visits.account("ada", events=3), visits.account("bob", events=2)
    visits.connect("u-1", first)
    sync("u-1", "google_calendar")
    browser = visits.connect("u-1", second, other_account=True)
    assert "Google is connected" in browser.answer.text
    connection = connection_of("u-1")
    assert connection
    assert connection["email"] == second
    assert sync("u-1", "google_calendar").outcome == "succeeded"
    live = {"user_id": "u-1", "source": "google_calendar", "deleted_at": None}
    assert {(row["stream"], row["item_id"]) for row in collection(Record).find(live)} == {
        (stream, item_id) for stream, item_id, _ in visits.sandbox.truth("bob", "google_calendar")
    }


def test_one_account_may_be_connected_by_two_users(visits: Visits) -> None:
    account = visits.account()
    visits.connect("ada", account)
    visits.connect("bob", account)
    one, other = connection_of("ada"), connection_of("bob")
    assert one
    assert other
    assert one["account_id"] == other["account_id"]
    assert sync("ada", "google_tasks").outcome == "succeeded"
    assert sync("bob", "google_tasks").outcome == "succeeded"


def test_a_users_return_address_says_what_came_of_it(visits: Visits) -> None:
    account = visits.account()
    back = "https://app.example/settings?tab=2#google"
    browser = visits.connect("ada", account, return_to=back, sources=["google_tasks"])
    gone = urlsplit(browser.visited[-1])
    assert f"{gone.scheme}://{gone.netloc}{gone.path}#{gone.fragment}" == (
        "https://app.example/settings#google"
    )
    assert parse_qs(gone.query) == {
        "tab": ["2"],
        "status": ["connected"],
        "provider": ["google"],
        "sources": ["google_tasks"],
    }


def test_two_who_come_back_at_once_connect_once(visits: Visits) -> None:
    browser, url = visits.callback_of("ada", visits.account())
    cookies = browser.session.cookies.get_dict()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: requests.get(url, cookies=cookies, timeout=10), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    connection = connection_of("ada")
    assert connection
    assert connection["version"] == 1


def test_grants_that_race_for_a_new_user_leave_one_account(stores: None) -> None:
    def connect(number: int) -> str:
        secrets = {"client_id": "id", "client_secret": "s", "refresh_token": f"1//{number}"}
        grant = Grant(f"10{number % 2}", "", secrets, (f"{AUTH}tasks.readonly",))
        try:
            connect_grant("ada", grant, ["google_tasks"])
        except OtherAccount:
            return ""
        return grant.account_id

    with ThreadPoolExecutor(8) as pool:
        accounts = {account for account in pool.map(connect, range(8)) if account}
    connection = connection_of("ada")
    assert connection
    assert accounts == {connection["account_id"]}


def test_connecting_does_not_need_redis_to_the_end(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits.connect("ada", visits.account())
    monkeypatch.setattr(scripts, "redis_client", dead_redis)
    assert not start_syncing("ada", SOURCES)
    assert {state_of("ada", source)["status"] for source in SOURCES} == {"idle"}


def _links(answer: requests.Response) -> list[str]:
    return [html.unescape(url) for url in re.findall(r'href="([^"]+)"', answer.text)]
