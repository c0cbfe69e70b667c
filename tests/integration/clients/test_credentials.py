"""Stored grants, and access tokens that many workers share."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.lock import Lock

from models import Connection
from pipeline.clients.credentials import (
    check_scopes,
    load_connection,
    mark,
    read_secrets,
    store_composio_connection,
)
from pipeline.clients.google_credentials import ConnectionCredentials, store_google_connection
from pipeline.errors import (
    HeadraceError,
    Misconfigured,
    Permanent,
    ReauthRequired,
    Transient,
)
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection, redis_client

Connect = Callable[..., Row]
RequestsOf = Callable[..., int]

AUTH = "https://www.googleapis.com/auth/"
GRANT = {"client_id": "id", "client_secret": "GOCSPX-s", "refresh_token": "1//r"}


def stored(user_id: str = "ada") -> Row:
    row = collection(Connection).find_one({"user_id": user_id})
    assert row
    return row


def refreshed(connection: Row) -> str | HeadraceError:
    """Refresh with credentials of its own; return the token, or why there is none."""
    credentials = ConnectionCredentials(connection)
    try:
        credentials.refresh(None)
    except HeadraceError as error:
        return error
    return str(credentials.token)


def at_once(connection: Row, workers: int = 8) -> list[str | HeadraceError]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(refreshed, [connection] * workers))


def until(condition: Callable[[], Any]) -> None:
    """Return when `condition` holds; the test's time limit ends a vain wait."""
    while not condition():
        time.sleep(0.01)


def end_token(connection: Row) -> Row:
    """Give the connection an access token whose time is over."""
    secrets = read_secrets(connection) | {"token": "ya29.old", "expiry": "2020-01-01T00:00:00Z"}
    grant = secrets | {"scopes": connection["granted_scopes"]}
    store_google_connection(connection["user_id"], grant, datetime.now(UTC))
    return load_connection(connection["user_id"], "google")


def test_a_connection_is_loaded_in_one_read(stores: None) -> None:
    store_google_connection("ada", GRANT | {"scopes": ["a"]}, datetime.now(UTC))
    row = load_connection("ada", "google")
    assert (row["broker"], row["status"], row["version"]) == ("own", "active", 1)
    assert row["granted_scopes"] == ["a"]
    assert b"GOCSPX-s" not in row["credentials"]["ciphertext"]
    Connection._from_son(row).validate()


def test_a_user_who_has_not_connected_must(stores: None) -> None:
    with pytest.raises(ReauthRequired, match="there is no google connection"):
        load_connection("nobody", "google")


def test_connecting_again_replaces_the_grant(stores: None) -> None:
    store_google_connection("ada", GRANT, datetime.now(UTC))
    mark(stored(), "needs_reauth", "revoked")
    with pytest.raises(ReauthRequired, match="must be made again: revoked"):
        load_connection("ada", "google")
    store_google_connection("ada", GRANT | {"refresh_token": "1//new"}, datetime.now(UTC))
    row = load_connection("ada", "google")
    assert (row["version"], row.get("status_reason")) == (2, None)
    assert read_secrets(row)["refresh_token"] == "1//new"
    store_composio_connection("ada", {"gmail": "ca_1"})
    assert load_connection("ada", "google")["broker"] == "composio"


def test_connecting_a_user_many_times_at_once_leaves_one_connection(stores: None) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda _: store_google_connection("ada", GRANT, datetime.now(UTC)), range(16))
        )
    assert stored()["version"] == 16


def test_composio_accounts_are_needed(stores: None) -> None:
    for accounts in ({}, {"gmail": ""}):
        with pytest.raises(Permanent, match="an account id is missing"):
            store_composio_connection("ada", accounts)


def test_a_mark_made_on_an_old_version_is_ignored(stores: None) -> None:
    store_google_connection("ada", GRANT, datetime.now(UTC))
    old = stored()
    store_google_connection("ada", GRANT, datetime.now(UTC))
    mark(old, "needs_reauth", "revoked")
    assert stored()["status"] == "active"


@pytest.mark.parametrize(
    ("source", "granted", "missing"),
    [
        ("google_calendar", ["calendar.readonly"], None),
        ("google_calendar", ["calendar"], None),
        ("google_calendar", ["calendar.events.readonly", "calendar.calendarlist.readonly"], None),
        ("google_calendar", ["calendar.events.readonly"], "calendar.readonly"),
        ("google_gmail", ["gmail.modify"], None),
        ("google_gmail", ["gmail.metadata"], "gmail.readonly"),
        ("google_contacts", ["contacts.readonly"], None),
        ("google_contacts", ["contacts.other.readonly"], "contacts.readonly"),
        ("google_tasks", ["calendar.readonly", "gmail.readonly"], "tasks.readonly"),
        ("google_tasks", [], None),
    ],
)
def test_a_source_needs_its_scope(source: str, granted: list[str], missing: str | None) -> None:
    connection = {"granted_scopes": [AUTH + scope for scope in granted]}
    if missing is None:
        check_scopes(connection, source)
    else:
        with pytest.raises(ReauthRequired, match=f"^{source} needs the scope {AUTH}{missing}$"):
            check_scopes(connection, source)


def test_all_of_gmail_includes_reading_it() -> None:
    check_scopes({"granted_scopes": ["https://mail.google.com/"]}, "google_gmail")


def test_a_refresh_stores_what_google_gave(connect: Connect) -> None:
    before = connect()
    credentials = ConnectionCredentials(before)
    assert not credentials.valid
    credentials.refresh(None)
    assert credentials.valid
    row = stored()
    secrets = read_secrets(row)
    assert secrets["token"] == credentials.token
    end = datetime.fromisoformat(secrets["expiry"])
    assert timedelta(minutes=58) < end - datetime.now(UTC) < timedelta(minutes=61)
    assert row["version"] == before["version"] + 1
    assert row["refreshed_at"] > before["connected_at"]
    assert f"{AUTH}gmail.readonly" in row["granted_scopes"]
    assert ConnectionCredentials(row).valid


def test_scopes_are_stored_as_google_returns_them(connect: Connect, sandbox: SandboxClient) -> None:
    connection = connect()
    sandbox.tokens("ada", "scopes", [f"{AUTH}tasks.readonly"])
    refreshed(connection)
    assert stored()["granted_scopes"] == [f"{AUTH}tasks.readonly"]


@pytest.mark.parametrize("rotate", ["rotate_off", "rotate_on"])
def test_workers_that_refresh_at_once_ask_google_once(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf, rotate: Any
) -> None:
    connection = end_token(connect())
    sandbox.tokens("ada", rotate)
    tokens = at_once(connection)
    assert requests_of("oauth", "token") == 1
    assert set(tokens) == {read_secrets(stored())["token"]}
    assert stored()["version"] == connection["version"] + 1


def test_a_rotated_refresh_token_is_used_from_then_on(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    connection = connect()
    sandbox.tokens("ada", "rotate_on")
    seen = {read_secrets(connection)["refresh_token"]}
    for _ in range(3):
        assert isinstance(refreshed(load_connection("ada", "google")), str)
        seen.add(read_secrets(stored())["refresh_token"])
    assert len(seen) == 4
    assert requests_of("oauth", "token", code=200) == 3
    # A worker that loaded the connection long ago takes over what is stored now.
    assert refreshed(connection) == read_secrets(stored())["token"]
    assert requests_of("oauth", "token") == 3


def test_a_revoked_grant_is_noticed_once_and_stops_the_connection(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    connection = connect()
    sandbox.tokens("ada", "revoke")
    errors = at_once(connection)
    assert {type(error) for error in errors} == {ReauthRequired}
    assert requests_of("oauth", "token") == 1
    row = stored()
    reason = "the token endpoint refused the refresh (invalid_grant)"
    assert (row["status"], row["status_reason"]) == ("needs_reauth", reason)
    store_google_connection("ada", sandbox.authorized_user("ada"), datetime.now(UTC))
    assert isinstance(refreshed(load_connection("ada", "google")), str)


def test_a_grant_made_while_a_worker_waits_is_used(
    connect: Connect, sandbox: SandboxClient
) -> None:
    connection = connect()
    lock = Lock(redis_client(), f"headrace:refresh:{connection['_id']}", thread_local=False)
    assert lock.acquire()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(refreshed, connection)
        sandbox.tokens("ada", "revoke")
        store_google_connection("ada", sandbox.authorized_user("ada"), datetime.now(UTC))
        lock.release()
        assert isinstance(waiting.result(20), str)
    assert stored()["status"] == "active"


def test_a_wrong_client_is_the_operators_matter(connect: Connect) -> None:
    connection = connect()
    secrets = read_secrets(connection) | {"client_secret": "wrong"}
    store_google_connection("ada", secrets, datetime.now(UTC))
    before = stored()
    error = refreshed(before)
    assert isinstance(error, Misconfigured)
    assert "invalid_client" in str(error)
    assert stored() == before


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "params": {"code": 503}},  # takes 3 seconds: the library waits
        {"kind": "drop"},
        {"kind": "invalid_json"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_a_token_endpoint_in_trouble_usually_recovers(
    connect: Connect, sandbox: SandboxClient, fault: dict[str, Any]
) -> None:
    connection = connect()
    sandbox.fault(match={"api": "oauth"}, times=3, **fault)
    error = refreshed(connection)
    assert isinstance(error, Transient)
    assert stored()["status"] == "active"
    sandbox.clear_faults()
    assert isinstance(refreshed(connection), str)


def test_a_silent_token_endpoint_is_given_up(
    connect: Connect, sandbox: SandboxClient, setting: Callable[..., None]
) -> None:
    connection = connect()
    setting(PROVIDER_TIMEOUT_SECONDS=0.3)
    sandbox.fault("hang", match={"api": "oauth"}, params={"seconds": 5})
    began = time.monotonic()
    assert isinstance(refreshed(connection), Transient)
    assert time.monotonic() - began < 4


def test_waiting_for_another_worker_has_an_end(
    connect: Connect, setting: Callable[..., None]
) -> None:
    connection = connect()
    setting(PROVIDER_TIMEOUT_SECONDS=0.3)
    with Lock(redis_client(), f"headrace:refresh:{connection['_id']}", timeout=20):
        began = time.monotonic()
        error = refreshed(connection)
    assert isinstance(error, Transient)
    assert "another worker is refreshing" in str(error)
    assert time.monotonic() - began < 5


def test_the_lock_of_a_killed_worker_ends_by_itself(
    connect: Connect, sandbox: SandboxClient, setting: Callable[..., None]
) -> None:
    connection = connect()
    setting(PROVIDER_TIMEOUT_SECONDS=2)
    sandbox.fault("slow", match={"api": "oauth"}, params={"seconds": 0.5})
    name = f"headrace:refresh:{connection['_id']}"
    with ThreadPoolExecutor(1) as pool:
        refresh = pool.submit(refreshed, connection)
        until(lambda: redis_client().exists(name))
        assert 0 < redis_client().ttl(name) <= 16
        assert isinstance(refresh.result(10), str)
    assert not redis_client().exists(name)


def test_a_newer_version_is_never_overwritten(connect: Connect, sandbox: SandboxClient) -> None:
    connection = connect()
    sandbox.fault("slow", match={"api": "oauth"}, params={"seconds": 1})
    with ThreadPoolExecutor(1) as pool:
        refresh = pool.submit(refreshed, connection)
        until(lambda: sandbox.faults()[0]["hits"])
        grant = sandbox.authorized_user("ada")
        store_google_connection("ada", grant, datetime.now(UTC))
        refresh.result(10)
    assert read_secrets(stored())["refresh_token"] == grant["refresh_token"]
    assert stored()["version"] == connection["version"] + 1
