"""Connecting a Microsoft 365 mailbox in the browser, and ending that again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner
from visits import Visits, ended, query_of, state_of
from web_forms import Browser

from models import Connection, Mailbox, Notification, User
from pipeline.cli.connect import app
from pipeline.clients.credentials import find_connection
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.connect import connect_microsoft
from pipeline.disconnecting import Disconnected, disconnect, in_words
from pipeline.errors import Permanent, ReauthRequired
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection, redis_client
from pipeline.web.connect.links import connect_link

Setting = Callable[..., None]


def link_for(user_id: str = "u-1", **link: Any) -> str:
    return connect_link(user_id, "microsoft", **link)


def account(sandbox: SandboxClient, name: str = "ada", *, mailbox: bool = True) -> str:
    sandbox.add_user(name)
    if mailbox:
        sandbox.open_mailbox(name, "Pacific Standard Time")
    return f"{name}@sandbox.example"


def leave(visits: Visits, user_id: str = "u-1", **link: Any) -> Browser:
    """Go as far as Microsoft's page that asks for consent, or for an account."""
    browser = visits.browser()
    browser.open(link_for(user_id, **link))
    browser.press("Continue to Microsoft")
    return browser


def connect(visits: Visits, address: str, user_id: str = "u-1", **link: Any) -> Browser:
    browser = leave(visits, user_id, **link)
    if any(address in form.buttons for form in browser.forms):
        browser.press(address)
    if any("Accept" in form.buttons for form in browser.forms):
        browser.press("Accept")
    return browser


def connection_of(user_id: str = "u-1") -> Row:
    row = find_connection(user_id, "microsoft")
    assert row is not None
    return row


def test_a_user_connects_and_has_a_mailbox(visits: Visits) -> None:
    address = account(visits.sandbox)
    before = ended("connected", "microsoft")
    browser = leave(visits, tenant_id="acme")
    asked = query_of(browser.visited[0])
    assert browser.visited[0].startswith(f"{visits.sandbox.base_url}/common/oauth2/v2.0/authorize?")
    assert asked["redirect_uri"] == f"{visits.web_url}/connect/microsoft/callback"
    assert set(asked["scope"].split()) == {
        *("openid", "profile", "offline_access", "User.Read"),
        *("Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite"),
    }
    expected = {
        "response_type": "code",
        "response_mode": "query",
        "code_challenge_method": "S256",
        "prompt": "select_account",
    }
    assert {name: asked[name] for name in expected} == expected
    assert len(asked["state"]) == 43
    # The browser has seen the challenge and the hash of the nonce, never what they are of.
    [key] = redis_client().keys("headrace:connect:*")
    kept = json.loads(redis_client().get(key) or b"")["flow"]["consent"]["kept"]
    assert {kept["code_verifier"], kept["nonce"]}.isdisjoint(asked.values())
    browser.press(address)
    browser.press("Accept")
    assert "Microsoft is connected" in browser.answer.text
    connection = connection_of()
    assert (connection["status"], connection["email"]) == ("active", address)
    mailbox = collection(Mailbox).find_one({"user_id": "u-1"})
    assert mailbox is not None
    assert (mailbox["email"], mailbox["tenant_id"]) == (address, "acme")
    assert mailbox["home_account_id"] == connection["account_id"]
    assert (mailbox["time_zone"], mailbox["is_connected"]) == ("America/Los_Angeles", True)
    state = state_of("u-1", "microsoft_mail")
    assert (state["mailbox_id"], state["tenant_id"]) == (mailbox["_id"], "acme")
    user = collection(User).find_one({"_id": "u-1"})
    assert user is not None
    assert user["email"] == address
    assert ended("connected", "microsoft") == before + 1
    secrets = json.dumps([str(value) for value in connection.values()])
    assert "refresh_token" not in secrets


def test_who_comes_back_is_asked_nothing_and_keeps_the_mailbox(visits: Visits) -> None:
    address = account(visits.sandbox)
    connect(visits, address)
    first = collection(Mailbox).find_one({"user_id": "u-1"}) or {}
    browser = leave(visits)
    assert query_of(browser.visited[0])["login_hint"] == address
    assert "Microsoft is connected" in browser.answer.text
    assert [row["_id"] for row in collection(Mailbox).find()] == [first["_id"]]
    assert connection_of()["version"] == 2


def test_what_goes_wrong_on_the_way_changes_nothing(visits: Visits, setting: Setting) -> None:
    account(visits.sandbox)
    browser = leave(visits)
    browser.press("ada@sandbox.example")
    browser.hosts = (visits.sandbox.base_url,)
    browser.press("Accept")
    answer = browser.visited[-1]
    # In the browser of somebody else, who was sent the address.
    assert visits.browser().open(answer).status_code == 403
    browser.hosts = (visits.web_url, visits.sandbox.base_url)
    assert "Microsoft is connected" in browser.open(answer).text
    assert "finished already" in browser.open(answer).text
    collection(Connection).delete_many({})
    # Twice, by a state of our own, with the code of before.
    browser = leave(visits, "u-2")
    state = query_of(browser.visited[0])["state"]
    here = f"{visits.web_url}/connect/microsoft/callback?"
    used = browser.open(here + urlencode({"state": state, "code": query_of(answer)["code"]}))
    assert (used.status_code, "could not be finished" in used.text) == (400, True)
    browser = leave(visits, "u-2")
    setting(MICROSOFT_CLIENT_SECRET="wrong")
    browser.press("ada@sandbox.example")
    assert (browser.answer.status_code, ended("misconfigured", "microsoft")) == (503, 1)
    assert "MICROSOFT_CLIENT_SECRET is wrong" in browser.answer.text
    assert collection(Connection).count_documents({}) == 0


def test_who_is_sent_back_without_a_code_reads_why(visits: Visits) -> None:
    account(visits.sandbox)
    declined, for_admins = "AADSTS65004: declined", "AADSTS90094: an administrator must"
    here = f"{visits.web_url}/connect/microsoft/callback?"
    for said, title in (
        ({"error": "access_denied", "error_description": declined}, "Nothing was connected"),
        ({"error": "access_denied", "error_description": for_admins}, "organization must allow"),
        ({"error": "server_error"}, "reported a problem"),
        ({}, "could not be finished"),
    ):
        browser = leave(visits)
        state = query_of(browser.visited[0])["state"]
        assert title in browser.open(here + urlencode({"state": state, **said})).text
    assert collection(Connection).count_documents({}) == 0


def test_another_account_and_one_without_a_mailbox_are_not_connected(visits: Visits) -> None:
    first, second = account(visits.sandbox), account(visits.sandbox, "bob")
    connect(visits, first)
    # So that Microsoft asks whose account it is.
    collection(Connection).update_one({}, {"$unset": {"email": ""}})
    assert "This is another account" in connect(visits, second).answer.text
    browser = connect(visits, second, other_account=True)
    assert "Microsoft is connected" in browser.answer.text
    connected = {row["email"]: row["is_connected"] for row in collection(Mailbox).find()}
    assert connected == {first: False, second: True}
    account(visits.sandbox, "carl", mailbox=False)
    with pytest.raises(Permanent, match="no mailbox"):
        connect_microsoft("u-9", visits.sandbox.microsoft_grant("carl"))
    assert find_connection("u-9", "microsoft") is None


def test_disconnecting_forgets_the_tokens_and_closes_the_mailbox(visits: Visits) -> None:
    connect(visits, account(visits.sandbox))
    done = disconnect("u-1", "microsoft")
    assert done == Disconnected(["microsoft_mail"], "forgotten")
    assert "myapps.microsoft.com" in in_words(done.revocation)
    connection = connection_of()
    assert connection["status"] == "disconnected"
    assert not {"credentials", "refresh_due_at", "token_expires_at"} & connection.keys()
    assert state_of("u-1", "microsoft_mail")["status"] == "needs_reauth"
    mailbox = collection(Mailbox).find_one({"user_id": "u-1"}) or {}
    assert (mailbox["is_connected"], mailbox["disconnected_reason"]) == (False, "disconnected")
    # It was wanted, so nobody is told.
    assert collection(Notification).count_documents({}) == 0
    with pytest.raises(ReauthRequired):
        MicrosoftClient.for_user("u-1")
    connect(visits, "ada@sandbox.example")
    assert state_of("u-1", "microsoft_mail")["status"] == "idle"
    assert collection(Mailbox).count_documents({"is_connected": True}) == 1


def test_a_refresh_token_connects_without_a_browser(sandbox: SandboxClient, tmp_path: Path) -> None:
    account(sandbox)
    path = tmp_path / "grant.json"
    path.write_text(json.dumps(sandbox.microsoft_grant("ada")))
    run = CliRunner().invoke(app, ["ada", "--provider", "microsoft", "--file", str(path), "--json"])
    assert json.loads(run.stdout)["sources"] == ["microsoft_mail"]
    for wrong, complaint in (
        ({}, "`refresh_token` is missing"),
        ({"refresh_token": 1}, "`refresh_token` is missing"),
        ({"refresh_token": "x", "scopes": "Mail.Read"}, "`scopes` is not a list"),
    ):
        with pytest.raises(Permanent, match=complaint):
            connect_microsoft("bob", wrong)
    with pytest.raises(ReauthRequired):
        connect_microsoft("bob", {"refresh_token": "made up"})
    assert find_connection("bob", "microsoft") is None
