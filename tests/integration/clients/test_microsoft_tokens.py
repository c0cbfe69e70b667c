"""Microsoft's tokens: renewed by one worker at a time, kept alive by jobs, and lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from google_calls import RequestsOf

from models import Connection, Mailbox, Notification, SyncState, User
from pipeline import token_refresh
from pipeline.clients.credentials import find_connection, load_connection, mark
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.clients.microsoft_credentials import MicrosoftCredentials
from pipeline.connect import connect_microsoft
from pipeline.errors import HeadraceError, Misconfigured, ReauthRequired, Transient
from pipeline.jobs.reading import depth
from pipeline.queues import TOKEN_REFRESH
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection

Setting = Callable[..., None]
TOKEN = {"api": "microsoft_identity", "method": "token"}


def connection() -> Row:
    row = find_connection("ada", "microsoft")
    assert row is not None
    return row


def change(**fields: object) -> None:
    collection(Connection).update_one({"user_id": "ada"}, {"$set": fields})


def make_due(**fields: object) -> str:
    """Let the grant be due, its token about to end; return the job's argument."""
    now = datetime.now(UTC)
    change(**{"refresh_due_at": now, "token_expires_at": now + timedelta(minutes=20), **fields})
    return str(connection()["_id"])


@pytest.fixture(autouse=True)
def _connected(sandbox: SandboxClient) -> None:
    sandbox.add_user("ada")
    sandbox.open_mailbox("ada")
    connect_microsoft("ada", sandbox.microsoft_grant("ada"))
    sandbox.clear_usage()


def test_workers_who_need_a_token_at_once_get_one(
    sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    sandbox.microsoft_tokens("ada", "expire")
    clients = [MicrosoftClient.for_user("ada") for _ in range(6)]
    before = connection()
    with ThreadPoolExecutor(6) as pool:
        names = list(pool.map(lambda client: client.call("GET /me")["displayName"], clients))
    assert len(set(names)) == 1
    assert requests_of("microsoft_identity", "token") == 1
    after = connection()
    assert after["version"] == before["version"] + 1
    assert after["refresh_due_at"] > before["refresh_due_at"]
    assert {client.connection["version"] for client in clients} == {after["version"]}


def test_a_worker_that_was_overtaken_uses_the_newer_token(sandbox: SandboxClient) -> None:
    late, early = (MicrosoftCredentials(connection()) for _ in range(2))
    early.renew()
    stale = connection()["version"]
    assert late.connection["version"] < stale
    # It held the lock for too long, and its refresh token is refused by now.
    sandbox.fault(
        "status",
        match=TOKEN,
        params={"code": 400, "reason": "invalid_grant", "message": "AADSTS70008: expired"},
    )
    late._renew_at_microsoft()
    assert late.token() == early.token()
    assert (connection()["status"], connection()["version"]) == ("active", stale)
    # What it stores too late is not stored.
    late.connection = {**late.connection, "version": stale - 1}
    late._renew_at_microsoft()
    assert connection()["version"] == stale
    assert late.token() == early.token()


def test_a_damaged_cache_concerns_one_connection_only() -> None:
    change(**{"credentials.ciphertext": b"damaged"})
    with pytest.raises(ReauthRequired, match="cannot be read"):
        MicrosoftClient.for_user("ada")
    assert connection()["status"] == "broken"
    assert token_refresh.refresh(str(connection()["_id"])) == "given up: broken"
    assert collection(Notification).count_documents({"user_id": "ada"}) == 1


def test_idle_grants_are_found_and_renewed(sandbox: SandboxClient, requests_of: RequestsOf) -> None:
    assert token_refresh.queue_due() == "0 queued, 0 queued before"
    argument = make_due()
    assert token_refresh.queue_due() == "1 queued, 0 queued before"
    assert token_refresh.queue_due() == "0 queued, 1 queued before"
    assert depth(TOKEN_REFRESH.name).waiting == 1
    before = connection()
    assert token_refresh.refresh(argument).startswith("renewed, for ")
    after = connection()
    assert after["version"] == before["version"] + 1
    assert after["token_expires_at"] > datetime.now(UTC) + timedelta(minutes=55)
    assert after["refresh_due_at"] > datetime.now(UTC) + timedelta(minutes=40)
    assert token_refresh.refresh(argument) == "not due any more"
    # One whose token lasts is looked at again, without a request.
    make_due(token_expires_at=datetime.now(UTC) + timedelta(hours=24))
    assert "lasts" in token_refresh.refresh(argument)
    assert requests_of("microsoft_identity", "token") == 1
    assert connection()["refresh_due_at"] > datetime.now(UTC) + timedelta(minutes=40)


def test_nothing_is_asked_for_who_rests_or_has_left(requests_of: RequestsOf) -> None:
    argument = make_due()
    collection(SyncState).update_one({"user_id": "ada"}, {"$set": {"status": "paused"}})
    assert "paused" in token_refresh.refresh(argument)
    collection(SyncState).update_one({"user_id": "ada"}, {"$set": {"status": "idle"}})
    collection(User).update_one({"_id": "ada"}, {"$set": {"is_active": False}})
    make_due()
    assert "paused" in token_refresh.refresh(argument)
    make_due(status="disconnected")
    assert token_refresh.refresh(argument) == "given up: disconnected"
    assert "refresh_due_at" not in connection()
    assert collection(Notification).count_documents({}) == 0
    collection(Connection).delete_many({})
    assert token_refresh.refresh(argument) == "not due any more"
    assert requests_of("microsoft_identity", "token") == 0


def test_lost_consent_stops_everything_and_its_user_is_told_once(sandbox: SandboxClient) -> None:
    sandbox.microsoft_tokens("ada", "revoke")
    argument = make_due()
    assert token_refresh.refresh(argument) == "given up: needs_reauth"
    assert connection()["status"] == "needs_reauth"
    assert "refresh_due_at" not in connection()
    state = collection(SyncState).find_one({"user_id": "ada", "source": "microsoft_mail"}) or {}
    assert (state["status"], state["next_due_at"]) == ("needs_reauth", None)
    assert "consent was withdrawn" in state["last_error"]["message"]
    mailbox = collection(Mailbox).find_one({"user_id": "ada"}) or {}
    assert mailbox["is_connected"] is False
    [told] = collection(Notification).find({"user_id": "ada"})
    assert (told["type"], told["priority"]) == ("token_expiring", "high")
    assert token_refresh.refresh(argument) == "not due any more"
    sandbox.microsoft_tokens("ada", "restore")
    connect_microsoft("ada", sandbox.microsoft_grant("ada"))
    assert (connection()["status"], "status_reason" in connection()) == ("active", False)
    assert collection(Notification).count_documents({}) == 1


def test_whoever_finds_a_grant_dead_its_user_is_told() -> None:
    mark(load_connection("ada", "microsoft"), "needs_reauth", "a sync has found it dead")
    assert token_refresh.queue_due() == "1 queued, 0 queued before"
    assert token_refresh.refresh(str(connection()["_id"])) == "given up: needs_reauth"
    assert collection(Notification).count_documents({"user_id": "ada"}) == 1


@pytest.mark.parametrize(
    ("code", "reason", "text", "meaning"),
    [
        (503, "temporarily_unavailable", "", Transient),
        (401, "invalid_client", "AADSTS7000222: expired secret", Misconfigured),
    ],
)
def test_what_is_no_fault_of_the_user_is_tried_again_later(
    sandbox: SandboxClient, code: int, reason: str, text: str, meaning: type[HeadraceError]
) -> None:
    params = {"code": code, "reason": reason, "message": text}
    sandbox.fault("status", match=TOKEN, params=params, times=2)
    for failures in (1, 2):
        argument = make_due()
        with pytest.raises(meaning):
            token_refresh.refresh(argument)
        row = connection()
        assert (row["status"], row["refresh_failures"]) == ("active", failures)
        assert row["refresh_due_at"] > datetime.now(UTC)
        assert token_refresh.refresh(argument) == "not due any more"
    assert token_refresh.refresh(make_due()).startswith("renewed")
    assert connection()["refresh_failures"] == 0
