"""Ending a connection: syncs stop at once, the grant is revoked, the copy stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from visits import SOURCES, Visits, connection_of, refresh_token_of, state_of, statuses_of

from models import Connection, Record, SyncState
from pipeline.clients.credentials import load_connection
from pipeline.clients.google import GoogleClient
from pipeline.clients.google_credentials import ConnectionCredentials, store_google_connection
from pipeline.connect import connect_composio
from pipeline.disconnecting import Disconnected, disconnect, remove_connection
from pipeline.errors import Gone, LeaseLost, ReauthRequired, Transient
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.sync import states
from pipeline.sync.engine import sync

Setting = Callable[..., None]


def calls_of(sandbox: SandboxClient) -> int:
    return sum(row["calls"] for row in sandbox.usage())


def test_disconnecting_revokes_and_a_later_sync_does_nothing(visits: Visits) -> None:
    visits.connect("ada", visits.account(events=2))
    sync("ada", "google_calendar")
    kept = collection(Record).count_documents({"user_id": "ada"})
    assert kept
    assert disconnect("ada", "google") == Disconnected(SOURCES, "revoked")
    assert set(statuses_of("ada").values()) == {"needs_reauth"}
    connection = connection_of("ada")
    assert connection
    assert connection["status"] == "disconnected"
    assert "credentials" not in connection
    with pytest.raises(ReauthRequired, match="must be made again: disconnected"):
        load_connection("ada", "google")
    visits.sandbox.clear_usage()
    assert sync("ada", "google_calendar", force=True).outcome == "not_due"
    assert calls_of(visits.sandbox) == 0
    assert collection(Record).count_documents({"user_id": "ada"}) == kept


def test_disconnecting_again_changes_nothing(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    disconnect("ada", "google")
    assert disconnect("ada", "google").revocation == "gone"


def test_who_is_not_connected_cannot_be_disconnected(stores: None) -> None:
    with pytest.raises(Gone, match="there is no google connection"):
        disconnect("nobody", "google")


def test_a_sync_under_way_can_write_nothing_more(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    claim = states.claim("ada", "google_tasks", force=True)
    assert claim
    disconnect("ada", "google")
    with claim.session, pytest.raises(LeaseLost):
        claim.write({"status": "idle"})
    assert statuses_of("ada")["google_tasks"] == "needs_reauth"


def test_a_paused_source_stays_paused(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    paused = {"user_id": "ada", "source": "google_tasks"}
    collection(SyncState).update_one(paused, {"$set": {"status": "paused"}})
    disconnect("ada", "google")
    visits.connect("ada", "ada@sandbox.example")
    assert statuses_of("ada")["google_tasks"] == "paused"


def test_a_grant_that_others_use_is_left_to_them(visits: Visits) -> None:
    account = visits.account()
    visits.connect("ada", account)
    visits.connect("bob", account)
    assert disconnect("ada", "google").revocation == "shared"
    assert sync("bob", "google_tasks").outcome == "succeeded"
    assert sync("ada", "google_tasks").outcome == "not_due"
    assert disconnect("bob", "google").revocation == "revoked"


def test_a_provider_that_is_down_does_not_keep_syncs_going(
    visits: Visits, setting: Setting
) -> None:
    visits.connect("ada", visits.account())
    refresh_token = refresh_token_of("ada")
    oauth_url = visits.sandbox.base_url
    setting(GOOGLE_OAUTH_BASE_URL="http://127.0.0.1:1")
    with pytest.raises(Transient, match="revocation endpoint"):
        disconnect("ada", "google")
    assert set(statuses_of("ada").values()) == {"needs_reauth"}
    assert refresh_token_of("ada") == refresh_token
    setting(GOOGLE_OAUTH_BASE_URL=oauth_url)
    visits.sandbox.fault("status", match={"api": "oauth"}, params={"code": 503})
    with pytest.raises(Transient, match="answered 503"):
        disconnect("ada", "google")
    assert disconnect("ada", "google").revocation == "revoked"


def test_a_grant_that_the_user_has_revoked_is_gone(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    visits.sandbox.tokens("ada", "revoke")
    assert disconnect("ada", "google").revocation == "gone"
    connection = connection_of("ada")
    assert connection
    assert "credentials" not in connection


def test_a_grant_may_be_kept_and_its_credentials_go_all_the_same(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    grant = visits.sandbox.authorized_user("ada")
    assert disconnect("ada", "google", revoke=False).revocation == "kept"
    connection = connection_of("ada")
    assert connection
    assert "credentials" not in connection
    connect = {"user_id": "bob", "authorized_user_info": grant, "now": connection["connected_at"]}
    store_google_connection(**connect)
    with GoogleClient(load_connection("bob", "google")) as client:
        assert client.call("tasks.tasklists.list")["items"]


def test_what_the_provider_keeps_for_us_is_taken_down_before_the_grant_ends(
    visits: Visits,
) -> None:
    visits.connect("ada", visits.account())
    visits.sandbox.tokens("ada", "expire")
    seen = []

    def take_down(user_id: str, provider: str) -> None:
        assert set(statuses_of("ada").values()) == {"needs_reauth"}
        with GoogleClient(load_connection(user_id, provider, leaving=True)) as client:
            seen.extend(client.call("tasks.tasklists.list")["items"])

    assert disconnect("ada", "google", before_revoking=take_down).revocation == "revoked"
    assert seen


def test_reconnecting_after_a_disconnect_goes_on_from_the_cursors(visits: Visits) -> None:
    account = visits.account(events=3)
    visits.connect("ada", account)
    sync("ada", "google_calendar")
    streams = state_of("ada", "google_calendar")["streams"]
    disconnect("ada", "google")
    visits.connect("ada", account, sources=["google_calendar"])
    assert statuses_of("ada") == dict.fromkeys(SOURCES, "needs_reauth") | {
        "google_calendar": "idle"
    }
    assert state_of("ada", "google_calendar")["streams"] == streams
    assert sync("ada", "google_calendar").counts.created == 0


def test_after_a_disconnect_too_another_account_is_refused(visits: Visits) -> None:
    first, second = visits.account("ada"), visits.account("bob")
    visits.connect("u-1", first)
    disconnect("u-1", "google")
    browser = visits.browser()
    browser.hosts = (visits.web_url,)
    visits.leave("u-1", browser=browser)
    browser.hosts += (visits.sandbox.base_url,)
    browser.open(browser.visited[-1].replace("login_hint", "x"))
    browser.press(second)
    assert browser.press("Continue").status_code == 409


def test_a_connection_through_composio_is_only_forgotten(stores: None) -> None:
    connect_composio("ada", {"gmail": "ca_1"})
    assert disconnect("ada", "google").revocation == "composio"
    connection = connection_of("ada")
    assert connection
    assert "credentials" not in connection


def test_credentials_that_cannot_be_read_do_not_hold_a_disconnect_up(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    damage = {"$set": {"credentials.ciphertext": b"damaged"}}
    collection(Connection).update_one({"user_id": "ada"}, damage)
    assert disconnect("ada", "google").revocation == "unreadable"


def test_a_grant_made_meanwhile_is_left_alone(visits: Visits) -> None:
    account = visits.account()
    visits.connect("ada", account)

    def come_back(_user_id: str, _provider: str) -> None:
        visits.connect("ada", account)

    assert disconnect("ada", "google", before_revoking=come_back).revocation == "reconnected"
    assert sync("ada", "google_tasks").outcome == "succeeded"


def test_a_refresh_under_way_does_not_bring_the_connection_back(visits: Visits) -> None:
    visits.connect("ada", visits.account())
    visits.sandbox.tokens("ada", "expire")
    credentials = ConnectionCredentials(load_connection("ada", "google"))
    remove_connection("ada", "google")
    with pytest.raises(ReauthRequired, match="disconnected"):
        credentials.refresh(None)
    connection = connection_of("ada")
    assert connection
    assert connection["status"] == "disconnected"
