"""Calls to the sandbox's Microsoft Graph, with tokens that MSAL gets there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google_calls import RequestsOf, kinds

from models import Connection
from pipeline import metrics
from pipeline.clients import grants, microsoft_oauth
from pipeline.clients.credentials import find_connection, load_connection
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.clients.microsoft_requests import root_url
from pipeline.errors import (
    Changed,
    CursorExpired,
    Gone,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection

Mailbox = Callable[..., MicrosoftClient]
GET = "GET /me/messages/{id}"
DELTA = "GET /me/mailFolders/{folder}/messages/delta"
ON_MOVE = {"api": "microsoft", "method": "messages.move"}
ON_GET = {"match": {"api": "microsoft", "method": "messages.get"}}


@pytest.fixture
def mailbox(sandbox: SandboxClient) -> Mailbox:
    """Make a user with a mailbox, connect it, and return its client: `mailbox("ada", mails=3)`."""

    def made(user_id: str = "ada", mails: int = 0, scopes: list[str] | None = None) -> Any:
        sandbox.add_user(user_id)
        sandbox.open_mailbox(user_id, "W. Europe Standard Time")
        for n in range(mails):
            sandbox.mail_add(user_id, "inbox", {"subject": f"private {n}"})
        given = sandbox.microsoft_grant(user_id, scopes)
        grant = microsoft_oauth.grant_of(given["refresh_token"], given["scopes"])
        assert grants.store(user_id, None, grant, datetime.now(UTC))
        return MicrosoftClient(load_connection(user_id, "microsoft"))

    return made


def connection() -> Row:
    row = find_connection("ada", "microsoft")
    assert row is not None
    return row


def ids(client: MicrosoftClient, folder: str = "inbox") -> list[str]:
    page = client.call("GET /me/mailFolders/{folder}/messages", folder=folder, top=50, select="id")
    return [message["id"] for message in page["value"]]


def refusal(code: int, reason: str) -> dict[str, Any]:
    params = {"code": code, "reason": reason, "message": "ada@private.example"}
    return {"kind": "status", "params": params}


def test_mail_is_read_moved_and_followed(mailbox: Mailbox, sandbox: SandboxClient) -> None:
    client = mailbox(mails=3)
    first = client.call(DELTA, folder="inbox", select="id,subject")
    assert len(first["value"]) == 3
    link = first["@odata.deltaLink"]
    [mail_id, *_] = [message["id"] for message in first["value"]]
    mail = client.call(GET, id=mail_id, select="id,changeKey,isRead")
    moved = client.call(
        "POST /me/messages/{id}/move", id=mail_id, body={"destinationId": "archive"}
    )
    assert moved["id"] == mail_id == mail["id"]
    assert mail_id in [
        one["id"] for one in client.call("GET", url=link)["value"] if "@removed" in one
    ]
    draft = client.call("POST /me/messages/{id}/createForward", id=mail_id, body={})
    assert client.call("DELETE /me/messages/{id}", id=draft["id"]) == {}
    with pytest.raises(Gone):
        client.call(GET, id=draft["id"])
    assert sandbox.mail_message("ada", mail_id)
    assert client.calls == client.requests == 7


def test_a_conditional_change_of_what_has_changed_is_not_made(
    mailbox: Mailbox, sandbox: SandboxClient
) -> None:
    client = mailbox(mails=1)
    [mail_id] = ids(client)
    etag = client.call(GET, id=mail_id, select="id")["@odata.etag"]
    sandbox.mail_patch("ada", mail_id, {"isRead": True})
    change = {"id": mail_id, "if_match": etag, "body": {"categories": ["x"]}}
    with pytest.raises(Changed):
        client.call("PATCH /me/messages/{id}", **change)
    newer = client.call(GET, id=mail_id, select="id")["@odata.etag"]
    assert client.call("PATCH /me/messages/{id}", **{**change, "if_match": newer})
    found = sandbox.mail_message("ada", mail_id)
    assert found
    assert found["categories"] == ["x"]


def test_a_link_that_graph_forgot_is_an_expired_cursor(
    mailbox: Mailbox, sandbox: SandboxClient
) -> None:
    client = mailbox(mails=1)
    link = client.call(DELTA, folder="inbox", select="id")["@odata.deltaLink"]
    client.call("GET", url=link)
    sandbox.expire_cursors("ada")
    with pytest.raises(CursorExpired):
        client.call("GET", url=link)
    with pytest.raises(CursorExpired):
        client.call("GET", url="https://graph.example/v1.0/me/mailFolders/delta?$deltatoken=x")


def test_a_batch_answers_each_call_in_order(mailbox: Mailbox) -> None:
    client = mailbox(mails=25)
    known = [m["id"] for m in client.call("GET /me/messages", top=50, select="id")["value"]]
    wanted = [*known[:24], "AAMk" + "A" * 60, known[24]]
    outcomes = client.batch(GET, [{"id": one, "select": "id"} for one in wanted])
    assert [o["id"] if isinstance(o, dict) else type(o) for o in outcomes] == [
        *known[:24],
        Gone,
        known[24],
    ]
    assert (client.requests, client.calls) == (1 + 2, 1 + 26)


def test_links_are_read_ahead_in_batches(mailbox: Mailbox, sandbox: SandboxClient) -> None:
    client = mailbox(mails=1)
    names = ["inbox", "archive", "drafts", "sentitems"]
    links = [client.call(DELTA, folder=n, select="id")["@odata.deltaLink"] for n in names]
    sandbox.mail_add("ada", "archive")
    before = client.requests
    client.prefetch(links)
    found = [len(client.call("GET", url=link)["value"]) for link in links]
    assert (found, client.requests) == ([0, 1, 0, 0], before + 1)
    client.call("GET", url=links[0])  # what was read ahead is used once
    assert client.requests == before + 2
    sandbox.expire_cursors("ada")
    client.prefetch(links)
    with pytest.raises(CursorExpired):
        client.call("GET", url=links[0])


def test_a_token_that_is_refused_is_renewed_once(
    mailbox: Mailbox, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    client = mailbox(mails=3)
    known = ids(client)
    before = connection()
    sandbox.microsoft_tokens("ada", "expire")
    outcomes = client.batch(GET, [{"id": one, "select": "id"} for one in known])
    assert kinds(outcomes) == ["dict"] * 3
    assert connection()["version"] == before["version"] + 1
    assert requests_of("microsoft_identity", "token", 200) == 2
    sandbox.microsoft_tokens("ada", "expire")
    sandbox.microsoft_tokens("ada", "revoke")
    with pytest.raises(ReauthRequired, match="AADSTS65001 consent was withdrawn") as caught:
        client.call(GET, id=known[0])
    assert connection()["status"] == "needs_reauth"
    assert connection()["status_reason"] == str(caught.value)
    with pytest.raises(ReauthRequired, match="made again"):
        MicrosoftClient.for_source("ada", "microsoft_mail")


def test_a_token_that_is_refused_again_marks_the_connection(
    mailbox: Mailbox, sandbox: SandboxClient
) -> None:
    client = mailbox(mails=1)
    [mail_id] = ids(client)
    sandbox.fault(**refusal(401, "InvalidAuthenticationToken"), **ON_GET, times=1)
    assert client.call(GET, id=mail_id)
    assert connection()["status"] == "active"
    sandbox.fault(**refusal(401, "InvalidAuthenticationToken"), **ON_GET, times=2)
    with pytest.raises(ReauthRequired):
        client.call(GET, id=mail_id)
    assert connection()["status"] == "needs_reauth"


def test_a_passing_failure_of_reading_is_tried_once_more(
    mailbox: Mailbox, sandbox: SandboxClient
) -> None:
    client = mailbox(mails=2)
    known = ids(client)
    sandbox.fault(**refusal(502, "x"), **ON_GET, times=1)
    assert client.call(GET, id=known[0])
    sandbox.fault(kind="drop", **ON_GET, times=2)
    with pytest.raises(Transient, match="no usable answer"):
        client.call(GET, id=known[0])
    assert client.call(GET, id=known[1])
    # It is not known whether it was moved, so it is not moved again.
    sandbox.clear_faults()
    sandbox.fault(**refusal(500, "x"), match=ON_MOVE, times=1)
    with pytest.raises(Transient):
        client.call("POST /me/messages/{id}/move", id=known[0], body={"destinationId": "archive"})


def test_waits_as_graph_asks_and_then_lets_the_job_wait(
    mailbox: Mailbox, sandbox: SandboxClient
) -> None:
    client = mailbox(mails=1)
    [mail_id] = ids(client)
    throttled = refusal(429, "ApplicationThrottled")
    sandbox.fault(
        **throttled | {"params": {**throttled["params"], "retry_after": 1}}, **ON_GET, times=1
    )
    started = time.monotonic()
    assert client.call(GET, id=mail_id)
    assert time.monotonic() - started > 0.9
    sandbox.fault(
        **throttled | {"params": {**throttled["params"], "retry_after": 60}}, **ON_GET, times=1
    )
    with pytest.raises(RateLimited) as caught:
        client.call(GET, id=mail_id)
    assert 55 < caught.value.retry_after_seconds <= 60
    with pytest.raises(RateLimited, match="our share"):  # it has been learned
        client.call("GET /me")


def test_one_request_at_a_time_keeps_graph_content(
    mailbox: Mailbox, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    sandbox.settings(quotas_enabled=True)
    known = ids(mailbox(mails=12))

    def read(_: int) -> list[str]:
        with MicrosoftClient.for_user("ada") as client:
            return kinds(client.batch(GET, [{"id": one} for one in known]))

    with ThreadPoolExecutor(4) as pool:
        for outcome in pool.map(read, range(8)):
            assert outcome == ["dict"] * 12
    assert requests_of("microsoft", "messages.get", 200) == 96


def test_scopes_are_looked_at_before_any_call(mailbox: Mailbox) -> None:
    mailbox(scopes=["User.Read", "offline_access", "openid", "profile"])
    with pytest.raises(ReauthRequired, match=r"microsoft_mail needs the scope Mail\.ReadWrite"):
        MicrosoftClient.for_source("ada", "microsoft_mail")


def test_says_nothing_of_a_person(
    mailbox: Mailbox, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = mailbox(mails=1)
    [mail_id] = ids(client)
    sandbox.microsoft_tokens("ada", "expire")
    sandbox.fault(**refusal(400, "ErrorInvalidUser"), **ON_GET, times=1)
    with pytest.raises(Permanent) as caught:
        client.call(GET, id=mail_id)
    with pytest.raises(Permanent):
        client.call(f"GET /me/messages/{mail_id}")
    ours = [r for r in caplog.records if not r.name.startswith(("urllib3", "pymongo", "redis"))]
    said = " ".join([str(caught.value), *(str(vars(record)) for record in ours)])
    assert "request_id" in said
    for secret in ("private", "sandbox.example", mail_id, client._credentials.token()):
        assert secret not in said
    labels = [
        sample.labels for metric in metrics.PROVIDER_CALLS.collect() for sample in metric.samples
    ]
    assert not [label for label in labels if mail_id in str(label)]


def test_a_wrong_secret_is_the_operators_business(
    mailbox: Mailbox, sandbox: SandboxClient, setting: Callable[..., None]
) -> None:
    client = mailbox()
    sandbox.microsoft_tokens("ada", "expire")
    setting(MICROSOFT_CLIENT_SECRET="wrong")
    with pytest.raises(Misconfigured, match="AADSTS7000215"):
        client.call("GET /me")
    assert connection()["status"] == "active"


def test_an_account_without_a_mailbox_says_so(sandbox: SandboxClient) -> None:
    from pipeline.clients.microsoft_account import NoMailbox

    sandbox.add_user("ada")
    with pytest.raises(NoMailbox):
        microsoft_oauth.grant_of(sandbox.microsoft_grant("ada")["refresh_token"], [])


def test_what_a_grant_says_of_the_account(sandbox: SandboxClient) -> None:
    sandbox.add_user("ada")
    sandbox.open_mailbox("ada", "W. Europe Standard Time")
    grant = microsoft_oauth.grant_of(sandbox.microsoft_grant("ada")["refresh_token"], [])
    assert (grant.provider, grant.email) == ("microsoft", "ada@sandbox.example")
    assert grant.account_id.endswith(f".{grant.directory_id}")
    assert (grant.lasts, grant.time_zone) == (True, "Europe/Berlin")
    assert grant.display_name
    assert "Mail.ReadWrite" in grant.scopes
    soon = datetime.now(UTC) + timedelta(minutes=50)
    assert grant.fields["token_expires_at"] > soon > grant.fields["refresh_due_at"]
    assert collection(Connection).count_documents({}) == 0
    assert root_url().endswith("/v1.0")
