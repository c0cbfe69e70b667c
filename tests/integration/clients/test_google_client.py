"""Calls to the sandbox through Google's own client library."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google_calls import GET, LIST, Connect, RequestsOf, gets, kinds, message_ids

from models import Connection
from pipeline import metrics
from pipeline.clients.credentials import read_secrets
from pipeline.clients.google import GoogleClient
from pipeline.clients.google_credentials import store_google_connection
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

AUTH = "https://www.googleapis.com/auth/"
CALENDAR_ID, WORDS = "ada@sandbox.example", "private words"
EVENTS = "calendar.events.list"
ON_EVENTS = {"api": "calendar", "method": "events.list"}


def status() -> str:
    row = collection(Connection).find_one({"user_id": "ada"})
    assert row
    return str(row["status"])


def refusal(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "status", "params": {"code": code, "reason": reason, "message": WORDS}}


def test_every_source_can_be_read(connect: Connect) -> None:
    connect(calendars=2, events=9, messages=3, contacts=4, task_lists=1, tasks=5)
    with GoogleClient.for_source("ada", "google_calendar") as client:
        [calendar, *_] = client.call("calendar.calendarList.list")["items"]
        assert client.call(EVENTS, calendarId=calendar["id"])["nextSyncToken"]
        assert client.calls == 2
    with GoogleClient.for_source("ada", "google_gmail") as client:
        profile = client.call("gmail.users.getProfile", userId="me")
        assert profile["historyId"]
        answer = client.call(
            "gmail.users.history.list",
            userId="me",
            startHistoryId=profile["historyId"],
            historyTypes=["messageAdded", "labelAdded"],
        )
        assert answer["historyId"] == profile["historyId"]
    with GoogleClient.for_source("ada", "google_contacts") as client:
        answer = client.call(
            "people.people.connections.list", resourceName="people/me", personFields="names"
        )
        assert len(answer["connections"]) == 4
    with GoogleClient.for_source("ada", "google_tasks") as client:
        [tasks] = client.call("tasks.tasklists.list")["items"]
        assert client.call("tasks.tasks.list", tasklist=tasks["id"])["kind"] == "tasks#tasks"


def test_a_sync_token_that_google_forgot_is_an_expired_cursor(
    connect: Connect, sandbox: SandboxClient
) -> None:
    with GoogleClient(connect(calendars=1)) as client:
        token = client.call("calendar.calendarList.list")["nextSyncToken"]
        client.call("calendar.calendarList.list", syncToken=token)
        sandbox.expire_cursors("ada")
        with pytest.raises(CursorExpired):
            client.call("calendar.calendarList.list", syncToken=token)


def test_a_history_that_gmail_forgot_is_an_expired_cursor_and_a_lost_mail_is_gone(
    connect: Connect, sandbox: SandboxClient
) -> None:
    with GoogleClient(connect(messages=1)) as client:
        history_id = client.call("gmail.users.getProfile", userId="me")["historyId"]
        sandbox.expire_cursors("ada")
        with pytest.raises(CursorExpired):
            client.call("gmail.users.history.list", userId="me", startHistoryId=history_id)
        with pytest.raises(Gone):
            client.call(GET, userId="me", id="18c0ffee18c0ffee")


def test_a_contacts_token_that_google_forgot_is_an_expired_cursor(
    connect: Connect, sandbox: SandboxClient
) -> None:
    params = {"resourceName": "people/me", "personFields": "names", "requestSyncToken": True}
    with GoogleClient(connect(contacts=2)) as client:
        token = client.call("people.people.connections.list", **params)["nextSyncToken"]
        sandbox.expire_cursors("ada")
        with pytest.raises(CursorExpired):
            client.call("people.people.connections.list", **params, syncToken=token)


def test_a_scope_that_was_not_granted_is_named_before_any_call(
    connect: Connect, requests_of: RequestsOf
) -> None:
    connect(scopes=[f"{AUTH}tasks.readonly"])
    with pytest.raises(ReauthRequired, match=f"google_gmail needs the scope {AUTH}gmail.readonly"):
        GoogleClient.for_source("ada", "google_gmail")
    assert requests_of("oauth", "token") == 0
    assert status() == "active"


def test_a_scope_that_was_taken_back_stops_the_source_but_not_the_connection(
    connect: Connect, sandbox: SandboxClient
) -> None:
    connect(messages=2, task_lists=1)
    with GoogleClient.for_source("ada", "google_gmail") as client:
        ids = message_ids(client)
        sandbox.tokens("ada", "scopes", [f"{AUTH}tasks.readonly"])
        with pytest.raises(ReauthRequired):
            client.call(LIST, userId="me")
        with pytest.raises(ReauthRequired):
            client.batch(GET, gets(ids))
        assert client.call("tasks.tasklists.list")["items"]
    assert status() == "active"


def test_a_token_that_ended_early_is_refreshed_once_on_the_way(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    with GoogleClient(connect(messages=3)) as client:
        ids = message_ids(client)
        sandbox.tokens("ada", "expire")
        assert len(message_ids(client)) == 3
        sandbox.tokens("ada", "expire")
        assert kinds(client.batch(GET, gets(ids))) == ["dict"] * 3
    assert requests_of("oauth", "token") == 3


def test_workers_with_one_connection_share_the_refresh(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    connection = connect(messages=1)
    with GoogleClient(connection) as client:
        message_ids(client)
    sandbox.tokens("ada", "expire")
    stale = collection(Connection).find_one({"user_id": "ada"})
    assert stale

    def work(_: int) -> int:
        with GoogleClient(stale) as client:
            return len(message_ids(client))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [1] * 8
    assert requests_of("oauth", "token") == 2


def test_a_grant_that_was_revoked_marks_the_connection(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    with GoogleClient(connect(messages=1)) as client:
        message_ids(client)
        sandbox.tokens("ada", "revoke")
        with pytest.raises(ReauthRequired):
            message_ids(client)
    assert status() == "needs_reauth"
    asked = requests_of("oauth", "token")
    with pytest.raises(ReauthRequired, match="must be made again"):
        GoogleClient.for_source("ada", "google_gmail")
    assert requests_of("oauth", "token") == asked


def test_a_fresh_token_that_is_refused_marks_the_connection(
    connect: Connect, sandbox: SandboxClient
) -> None:
    with GoogleClient(connect(messages=1)) as client:
        refusal = {"code": 401, "reason": "authError"}
        sandbox.fault("status", match={"api": "gmail"}, times=5, params=refusal)
        with pytest.raises(ReauthRequired):
            message_ids(client)
    assert status() == "needs_reauth"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "params": {"code": 503}},
        {"kind": "status", "params": {"code": 500}},
        {"kind": "drop", "params": {"after_bytes": 40}},
        {"kind": "drop", "params": {"after_bytes": 0}},
        {"kind": "invalid_json"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('params', '')}",
)
def test_what_fails_once_in_passing_is_asked_again(
    connect: Connect, sandbox: SandboxClient, fault: dict[str, Any]
) -> None:
    with GoogleClient(connect(calendars=1)) as client:
        sandbox.fault(match={"api": "calendar"}, **fault)
        assert client.call("calendar.calendarList.list")["items"]
        assert client.calls == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "params": {"code": 503}}, Transient),
        ({"kind": "drop", "params": {"after_bytes": 40}}, Transient),
        ({"kind": "drop", "params": {"after_bytes": 0}}, Transient),
        ({"kind": "invalid_json"}, Transient),
        (refusal(403, "forbidden"), Permanent),
        (refusal(403, "accessNotConfigured"), Misconfigured),
        (refusal(403, "quotaExceeded"), RateLimited),
        (refusal(429, "rateLimitExceeded"), RateLimited),
    ],
)
def test_what_keeps_failing_is_raised_in_our_words_and_without_secrets(
    connect: Connect,
    sandbox: SandboxClient,
    fault: dict[str, Any],
    error: type[HeadraceError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with GoogleClient(connect(calendars=1)) as client:
        sandbox.fault(match=ON_EVENTS, times=9, **fault)
        with pytest.raises(error) as caught:
            client.call(EVENTS, calendarId=CALENDAR_ID, q=WORDS)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    token = read_secrets(collection(Connection).find_one({"user_id": "ada"}) or {})["token"]
    for secret in ("@sandbox", "ada%40", "private", "127.0.0.1", token, "http://"):
        assert secret not in shown
    assert str(caught.value).startswith(EVENTS)
    assert status() == "active"


def test_silence_is_given_up_after_the_timeout_and_not_asked_again(
    connect: Connect, sandbox: SandboxClient, setting: Callable[..., None], monkeypatch: Any
) -> None:
    connection = connect(calendars=1)
    setting(PROVIDER_TIMEOUT_SECONDS=0.5)
    monkeypatch.setattr("pipeline.clients.charged._QUICK_SECONDS", 0.4)
    with GoogleClient(connection) as client:
        client.call("calendar.calendarList.list")
        sandbox.fault("hang", match=ON_EVENTS, times=2, params={"seconds": 2})
        with pytest.raises(Transient, match=r"no usable answer \(TimeoutError\)"):
            client.call(EVENTS, calendarId="primary")
        assert sandbox.faults()[0]["hits"] == 1
        # A late answer is not taken for that of the next call.
        assert client.call("calendar.calendarList.list")["kind"] == "calendar#calendarList"


class _Stranger(BaseHTTPRequestHandler):
    """Answers like a proxy that knows nothing of Google."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_error(404)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_proxy_that_answers_404_deletes_nothing(
    connect: Connect, setting: Callable[..., None]
) -> None:
    connection = connect(messages=1)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.serve_forever, 0.02)
        setting(GOOGLE_API_BASE_URL=f"http://127.0.0.1:{server.server_port}")
        with GoogleClient(connection) as client:
            with pytest.raises(Transient):
                client.call(GET, userId="me", id="18c0ffee18c0ffee")
            assert kinds(client.batch(GET, gets(["18c0ffee18c0ffee"]))) == ["Transient"]
        server.shutdown()


def test_wrong_parameters_are_not_sent(connect: Connect, requests_of: RequestsOf) -> None:
    with GoogleClient(connect()) as client:
        with pytest.raises(Permanent, match=r"^calendar\.events\.list does not exist or does not"):
            client.call(EVENTS, calendarld="x")
        with pytest.raises(ValueError, match="no quota profile for drive"):
            client.call("drive.files.list")
    assert requests_of("calendar", "events.list") == 0


def test_calls_are_counted_by_method_and_status(connect: Connect, sandbox: SandboxClient) -> None:
    def counted(code: int) -> float:
        counter = metrics.PROVIDER_CALLS.labels("google", "tasks.tasklists.list", str(code))
        return float(counter._value.get())

    before = {code: counted(code) for code in (0, 200, 503)}
    with GoogleClient(connect(task_lists=1)) as client:
        client.call("tasks.tasklists.list")
        sandbox.fault("status", match={"api": "tasks"}, times=2, params={"code": 503})
        with pytest.raises(Transient):
            client.call("tasks.tasklists.list")
        sandbox.fault("drop", match={"api": "tasks"}, params={"after_bytes": 9})
        client.call("tasks.tasklists.list")
    assert {code: counted(code) - before[code] for code in before} == {0: 1, 200: 2, 503: 2}


def test_a_short_pause_that_google_asks_for_is_kept_and_then_it_is_asked_again(
    connect: Connect, sandbox: SandboxClient
) -> None:
    with GoogleClient(connect(calendars=1)) as client:
        client.call("calendar.calendarList.list")
        params = {"code": 429, "retry_after": 1}
        sandbox.fault("status", match=ON_EVENTS, params=params)
        began = time.monotonic()
        assert client.call(EVENTS, calendarId="primary")["items"] is not None
        assert time.monotonic() - began >= 1


def test_a_long_pause_that_google_asks_for_holds_for_every_worker(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    connection = connect(calendars=1, task_lists=1)
    with GoogleClient(connection) as client:
        params = {"code": 403, "reason": "rateLimitExceeded", "retry_after": 40}
        sandbox.fault("status", match=ON_EVENTS, params=params)
        with pytest.raises(RateLimited) as caught:
            client.call(EVENTS, calendarId="primary")
        assert (caught.value.retry_after_seconds, caught.value.scope) == (40, "user")
    with GoogleClient(connection) as another:
        with pytest.raises(RateLimited) as caught:
            another.call(EVENTS, calendarId="primary")
        assert 30 < caught.value.retry_after_seconds <= 40.2
        assert another.call("tasks.tasklists.list")["items"]
    assert requests_of("calendar", "events.list") == 1


def test_a_grant_stored_with_a_good_token_needs_no_refresh(
    connect: Connect, requests_of: RequestsOf
) -> None:
    with GoogleClient(connect(messages=1)) as client:
        message_ids(client)
    row = collection(Connection).find_one({"user_id": "ada"})
    assert row
    store_google_connection("ada", read_secrets(row), datetime.now(UTC))
    with GoogleClient.for_source("ada", "google_gmail") as client:
        message_ids(client)
    assert requests_of("oauth", "token") == 1
