"""Google through Composio's official client and a proxy that asks the sandbox."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from composio_proxy import API_KEY, ComposioProxy

from models import Connection
from pipeline.clients.credentials import load_connection, store_composio_connection
from pipeline.clients.google import GoogleClient
from pipeline.errors import (
    CursorExpired,
    Gone,
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

ACCOUNTS = {"gmail": "ca_mail", "googlecalendar": "ca_calendar"}
GET = "gmail.users.messages.get"
CALENDARS = "calendar.calendarList.list"


@pytest.fixture
def proxy(
    sandbox: SandboxClient, sandbox_url: str, setting: Callable[..., None]
) -> Iterator[ComposioProxy]:
    """Composio with the accounts of the user ada."""
    sandbox.add_user("ada", calendars=2, messages=3)
    grants = {account: sandbox.authorized_user("ada") for account in ACCOUNTS.values()}
    store_composio_connection("ada", ACCOUNTS)
    with ComposioProxy(sandbox_url, grants) as running:
        setting(COMPOSIO_API_KEY=API_KEY, COMPOSIO_BASE_URL=running.url)
        yield running


@pytest.fixture
def client(proxy: ComposioProxy) -> Iterator[GoogleClient]:
    with GoogleClient.for_source("ada", "google_gmail") as client:
        yield client


def status() -> str:
    row = collection(Connection).find_one({"user_id": "ada"})
    assert row
    return str(row["status"])


def test_calls_are_made_with_the_account_of_their_toolkit(
    client: GoogleClient, proxy: ComposioProxy
) -> None:
    assert len(client.call(CALENDARS)["items"]) == 2
    listed = client.call(
        "gmail.users.messages.list", userId="me", labelIds=["INBOX", "UNREAD"], maxResults=2
    )
    assert "resultSizeEstimate" in listed
    assert [seen["connected_account_id"] for seen in proxy.seen] == ["ca_calendar", "ca_mail"]
    assert "labelIds=INBOX&labelIds=UNREAD" in proxy.seen[1]["endpoint"]


def test_a_toolkit_without_an_account_needs_the_user(client: GoogleClient) -> None:
    with pytest.raises(ReauthRequired, match="no Composio account for googletasks"):
        client.call("tasks.tasklists.list")


def test_a_batch_is_made_of_single_calls(client: GoogleClient, proxy: ComposioProxy) -> None:
    listed = client.call("gmail.users.messages.list", userId="me", includeSpamTrash=True)
    ids = [message["id"] for message in listed["messages"]]
    wanted = [{"userId": "me", "id": i} for i in (ids[0], "18c0ffee18c0ffee", ids[1], ids[2])]
    outcomes = client.batch(GET, wanted)
    assert isinstance(outcomes[1], Gone)
    assert [outcome["id"] for outcome in outcomes if isinstance(outcome, dict)] == ids
    assert [seen["method"] for seen in proxy.seen] == ["GET"] * 5


def test_googles_refusals_mean_the_same_as_without_composio(
    client: GoogleClient, sandbox: SandboxClient
) -> None:
    token = client.call(CALENDARS)["nextSyncToken"]
    sandbox.expire_cursors("ada")
    with pytest.raises(CursorExpired):
        client.call(CALENDARS, syncToken=token)
    sandbox.fault("status", match={"api": "calendar"}, params={"code": 403, "reason": "forbidden"})
    with pytest.raises(Permanent):
        client.call(CALENDARS)
    sandbox.fault("status", match={"api": "calendar"}, params={"code": 429, "retry_after": 50})
    with pytest.raises(RateLimited) as caught:
        client.call(CALENDARS)
    assert caught.value.retry_after_seconds == 50


def test_a_grant_that_google_refuses_stops_the_connection(
    client: GoogleClient, sandbox: SandboxClient
) -> None:
    refusal = {"code": 401, "reason": "authError"}
    sandbox.fault("status", match={"api": "calendar"}, params=refusal)
    with pytest.raises(ReauthRequired):
        client.call(CALENDARS)
    assert status() == "needs_reauth"
    with pytest.raises(ReauthRequired):
        load_connection("ada", "google")


def test_a_long_query_is_sent_as_the_get_that_it_is(
    client: GoogleClient, proxy: ComposioProxy
) -> None:
    words = "after:1600000000 " * 150
    assert "resultSizeEstimate" in client.call("gmail.users.messages.list", userId="me", q=words)
    assert proxy.seen[-1]["method"] == "GET"
    assert proxy.seen[-1]["endpoint"].count("after") == 150


EXPIRED = {"error": {"slug": "ActionExecute_ConnectedAccountExpired", "message": "x"}}


@pytest.mark.parametrize(
    ("code", "body", "headers", "error"),
    [
        (400, EXPIRED, {}, ReauthRequired),
        (400, {"error": {"message": "No connected account found"}}, {}, ReauthRequired),
        (404, {}, {}, ReauthRequired),
        (400, {"error": {"slug": "OriginMismatch"}}, {}, Permanent),
        (400, {"error": "odd"}, {}, Permanent),
        (403, {"error": {"message": "Forbidden"}}, {}, Misconfigured),
        (429, {}, {"retry-after": "77"}, RateLimited),
        (502, {}, {}, Transient),
        (200, {"status": 200, "data": "half a page"}, {}, Transient),
        (200, {"status": 200}, {}, Transient),
        (200, {}, {}, Transient),
        (200, {}, {"content-type": "text/html"}, Transient),
        (200, {"status": 404, "data": "<html>Not here</html>"}, {}, Transient),
        (200, {"status": 404, "data": {"error": {"message": 7}}}, {}, Transient),
    ],
)
def test_composios_own_refusals_are_told_apart(
    client: GoogleClient,
    proxy: ComposioProxy,
    code: int,
    body: dict[str, Any],
    headers: dict[str, str],
    error: type[HeadraceError],
) -> None:
    proxy.refusals += [(code, body, headers)] * 2
    with pytest.raises(error) as caught:
        client.call(CALENDARS)
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after_seconds == 77
    assert status() == "active"


def test_when_composio_is_out_of_calls_the_rest_of_a_batch_is_not_tried(
    client: GoogleClient, proxy: ComposioProxy
) -> None:
    proxy.refusals.append((429, {}, {"retry-after": "60"}))
    outcomes = client.batch(GET, [{"userId": "me", "id": str(n)} for n in range(5)])
    assert [type(outcome) for outcome in outcomes] == [RateLimited] * 5
    assert len(proxy.seen) == 1


def test_a_composio_that_is_away_usually_comes_back(
    client: GoogleClient, setting: Callable[..., None]
) -> None:
    setting(COMPOSIO_BASE_URL="http://127.0.0.1:9")
    with pytest.raises(Transient, match="Composio does not answer"):
        client.call(CALENDARS)


@pytest.mark.parametrize(
    ("key", "complaint"),
    [("", "COMPOSIO_API_KEY is empty"), ("wrong", "COMPOSIO_API_KEY is wrong or lacks")],
)
def test_a_key_that_is_missing_or_wrong_is_the_operators_matter(
    client: GoogleClient, setting: Callable[..., None], key: str, complaint: str
) -> None:
    setting(COMPOSIO_API_KEY=key)
    with pytest.raises(Misconfigured, match=complaint):
        client.call(CALENDARS)
    assert status() == "active"


def test_without_the_package_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "composio_client.py").write_text("raise ImportError('not installed')")
    script = (
        "from pipeline.clients.composio import ComposioHttp\n"
        "ComposioHttp('ca_1').request('https://gmail.googleapis.com/')\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "COMPOSIO_API_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=30
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("connections made through Composio need `pip install headrace[composio]`")
    assert "Misconfigured" in last


def test_composios_package_is_only_imported_when_a_connection_needs_it() -> None:
    script = "import sys, pipeline.clients.google; sys.exit('composio_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == 0
