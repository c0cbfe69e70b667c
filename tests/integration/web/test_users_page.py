"""The Users page and that of one user: who is found, what is told, and what can be done."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from browsers import signed_in
from starlette.testclient import TestClient

from models import AuditLog, Connection, Erasure, SyncState, User
from pipeline.clients.keyring import Keyring
from pipeline.jobs import controls
from pipeline.jobs.reading import page as jobs
from pipeline.stores import collection
from pipeline.sync import states
from pipeline.users import dry_runs

HX = {"HX-Request": "true"}
MAILS, PEOPLE = "google_gmail", "google_contacts"
STRANGE = "a/b c%2F?<script>'\"&ü"


def add(user_id: str, *sources: str, tenant_id: str = "default", **fields: Any) -> None:
    """Add a user whose sources were synced five minutes ago."""
    now = datetime.now(UTC)
    collection(User).insert_one({"_id": user_id, "tenant_id": tenant_id, "created_at": now})
    connection = {"user_id": user_id, "provider": "google", "broker": "own", "status": "active"}
    sealed = Keyring.from_settings().encrypt(b"{}", f"google/{user_id}")
    collection(Connection).insert_one(
        {**connection, "credentials": {**sealed}, "version": 1, "connected_at": now}
    )
    for source in sources or (MAILS, PEOPLE):
        states.ensure(user_id, source, now)
    then = now - timedelta(minutes=5)
    fresh = {"fresh_as_of": then, "stale_at": then + timedelta(minutes=15), "last_attempt_at": then}
    idle = {"next_due_at": now + timedelta(minutes=7), "last_success_at": then}
    collection(SyncState).update_many({"user_id": user_id}, {"$set": fresh | idle | fields})


def failing(message: str, error: str = "ReauthRequired") -> dict[str, Any]:
    return {"last_error": {"class": error, "message": message}}


def shown(query: str = "") -> list[str]:
    """Return the users that a page of the list shows."""
    text = signed_in("viewer").get(f"/admin/users{query}").text
    rows = text.split('<tr id="row-')[1:]
    return [row.partition('"')[0] for row in rows]


def notice(client: TestClient, url: str, status: int = 204, **data: str) -> str:
    """Post, and return what the answer says."""
    answer = client.post(url, data=data, headers=HX)
    assert answer.status_code == status, answer.text
    if "HX-Redirect" in answer.headers:  # it is told on the page that follows
        return client.get(answer.headers["HX-Redirect"]).text
    text: str = json.loads(answer.headers["HX-Trigger"])["notice"]["text"]
    return text


def test_without_users_it_says_how_to_get_some(stores: None) -> None:
    text = signed_in("viewer").get("/admin/users").text
    assert "Nobody is connected yet" in text
    assert "headrace connect" in text


def test_users_are_listed_with_their_sources_and_what_is_wrong(stores: None) -> None:
    add("ada")
    add("bob", MAILS, status="needs_reauth", next_due_at=None, **failing("x (invalid_grant)"))
    text = signed_in("viewer").get("/admin/users").text
    assert shown() == ["ada", "bob"]
    assert "5 min ago" in text
    assert "Access was revoked, or has expired." in text
    assert "Ask the user to connect again." in text


def test_a_search_finds_how_ids_begin_and_stands_in_the_address(stores: None) -> None:
    for name in ("ada", "adam", "bob", "Adam"):
        add(name)
    assert shown("?q=ada") == ["ada", "adam"]
    assert shown("?q=zoe") == []
    assert 'value="ada"' in signed_in("viewer").get("/admin/users?q=ada").text


@pytest.mark.parametrize(
    ("trouble", "fields"),
    [
        ("needs_reauth", {"status": "needs_reauth"}),
        ("error", {"status": "error"}),
        ("rate_limited", {"status": "rate_limited"}),
        ("paused", {"status": "paused"}),
        ("stale", {"stale_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("stale", {"stale_at": None}),
    ],
)
def test_a_tab_shows_those_who_are_so(stores: None, trouble: str, fields: dict[str, Any]) -> None:
    for name in ("ada", "bob", "cy"):
        add(name)
    collection(SyncState).update_many(
        {"user_id": {"$ne": "bob"}, "source": MAILS}, {"$set": fields}
    )
    assert sorted(shown(f"?show={trouble}")) == ["ada", "cy"]
    assert shown(f"?show={trouble}&q=c") == ["cy"]
    assert shown(f"?show={trouble}&source={PEOPLE}") == []
    assert shown(f"?show={trouble}&tenant=acme") == []


def test_those_whose_pause_is_of_the_user_are_paused_too(stores: None) -> None:
    for name in ("ada", "bob"):
        add(name)
    controls.pause("user:bob", reason="", by="eve")
    controls.pause("user:nobody", reason="", by="eve")
    assert shown("?show=paused") == ["bob"]
    assert shown(f"?show=paused&source={PEOPLE}") == ["bob"]
    assert shown("?show=paused&q=a") == []


def test_who_has_a_source_and_who_is_of_a_tenant_can_be_asked_for(stores: None) -> None:
    add("ada", MAILS)
    add("bob", PEOPLE, tenant_id="acme")
    assert shown(f"?source={PEOPLE}") == ["bob"]
    assert shown("?tenant=acme") == ["bob"]
    assert shown(f"?tenant=acme&source={MAILS}") == []


def test_what_an_address_cannot_mean_is_said(stores: None) -> None:
    client = signed_in("viewer")
    for query in ("?show=happy", "?source=google_dreams", "?show=stale&after=x"):
        assert client.get(f"/admin/users{query}").status_code == 404


def test_a_user_is_told_with_every_source_and_why(stores: None) -> None:
    add("ada", MAILS, PEOPLE, cadence={"why": "quiet", "interval_seconds": 3600.0})
    broken = {"status": "error", "consecutive_failures": 3} | failing("503", "Transient")
    collection(SyncState).update_one({"source": MAILS}, {"$set": broken})
    listing = {
        "generation": 1, "done": 50, "total": 200, "started_at": datetime.now(UTC),
        "touched_at": datetime.now(UTC) + timedelta(seconds=60),
    }  # fmt: skip
    streams = {"messages": {"name": "messages", "generation": 0, "listing": listing}}
    collection(SyncState).update_one({"source": MAILS}, {"$set": {"streams": streams}})
    text = signed_in("viewer").get("/admin/users/ada").text
    assert "The provider or a store did not answer properly." in text
    assert "50 of about 200 items listed" in text
    assert "about 3 min left" in text
    assert "Hardly ever changes, so it is looked at every 1 h, as rarely as is allowed." in text
    for button in ("Sync now", "Pause", "Erase", "Disconnect", "Connect link"):
        assert button not in text  # not a viewer's


def test_an_unknown_user_is_not_found(stores: None) -> None:
    client = signed_in("operator")
    assert client.get("/admin/users/nobody").status_code == 404
    assert client.get("/admin/users/nobody/connect-link").status_code == 404
    assert "no user" in notice(client, "/admin/users/nobody/sync", 404)


def test_an_id_may_hold_anything_that_is_printable(stores: None) -> None:
    from pipeline.web.paths import segment

    add(STRANGE)
    client = signed_in("operator")
    url = f"/admin/users/{segment(STRANGE)}"
    listed = client.get("/admin/users").text
    assert f'href="{url}"' in listed
    text = client.get(url).text
    assert "<script>'" not in text
    notice(client, f"{url}/sync")
    assert {job.scope("user") for job in jobs("data-sync", None, limit=9).jobs} == {STRANGE}


def test_sync_now_queues_once_however_often_it_is_clicked(stores: None) -> None:
    add("ada")
    client = signed_in("operator")
    assert "google_contacts, google_gmail" in notice(client, "/admin/users/ada/sync")
    assert "waited or ran already" in notice(client, "/admin/users/ada/sync")
    assert notice(client, "/admin/users/ada/sync", 404, source="google_tasks")
    assert len(jobs("data-sync", "waiting", limit=9).jobs) == 2


def test_a_source_that_waits_for_its_user_cannot_be_synced(stores: None) -> None:
    add("ada", MAILS, status="needs_reauth", next_due_at=None)
    assert "connect again" in notice(signed_in("operator"), "/admin/users/ada/sync", 409)


def test_a_pause_is_told_on_the_page_and_ended_there(stores: None) -> None:
    add("ada")
    client, url = signed_in("operator"), "/admin/users/ada"
    assert "an hour" in notice(client, f"{url}/pause", reason="a move", lasting="3600")
    text = client.get(url).text
    assert "Paused by the-operator until" in text
    assert "Held:" not in text  # said once
    controls.pause(f"source:{MAILS}", reason="its quota", by="quota")
    assert f"Held: source:{MAILS} is paused by quota: its quota." in client.get(url).text
    notice(client, "/admin/users/ada/resume")
    assert notice(client, "/admin/users/ada/resume", 409) == "The user is not paused."
    assert notice(client, "/admin/users/ada/pause", 409, lasting="7")


def test_a_user_is_deactivated_and_activated_on_the_page(stores: None) -> None:
    add("ada")
    client, url = signed_in("operator"), "/admin/users/ada"
    assert "Not active any more" in notice(client, f"{url}/deactivate")
    assert "was not active" in notice(client, f"{url}/deactivate", 409)
    text = client.get(url).text
    assert "This user is not active" in text
    assert "The user is not active, so nothing is done for them." in text
    assert "Sync all now" not in text
    assert "Active again" in notice(client, f"{url}/activate")
    assert "was active" in notice(client, f"{url}/activate", 409)
    assert "Sync all now" in client.get(url).text


def test_what_is_final_wants_the_id_typed_and_the_role(stores: None) -> None:
    add("ada")
    client = signed_in("operator")
    url = "/admin/users/ada/disconnect"
    assert "not the id" in notice(client, url, 409, provider="google", typed="bob")
    assert notice(client, url, 404, provider="aol", typed="ada")
    assert notice(client, "/admin/users/ada/erase", 403, typed="ada")
    assert "revokes the grant" in notice(client, url, provider="google", typed="ada")
    row = collection(Connection).find_one({"user_id": "ada"})
    assert row is not None
    assert row["status"] == "disconnected"
    assert "The account was disconnected." in client.get("/admin/users/ada").text


def test_an_admin_erases_and_the_page_says_so_until_it_is_done(stores: None) -> None:
    add("ada")
    client = signed_in("admin")
    assert "not the id" in notice(client, "/admin/users/ada/erase", 409, typed="")
    assert "Being erased" in notice(client, "/admin/users/ada/erase", typed="ada")
    assert collection(Erasure).count_documents({"status": "erasing"}) == 1
    text = client.get("/admin/users/ada").text
    assert "This user is being erased." in text
    assert "Sync all now" not in text
    assert "is being erased" in notice(client, "/admin/users/ada/sync", 409)


def test_a_connect_link_is_for_operators(stores: None, setting: Any) -> None:
    setting(PUBLIC_BASE_URL="https://headrace.example")
    add("ada")
    assert signed_in("viewer").get("/admin/users/ada/connect-link").status_code == 403
    text = signed_in("operator").get("/admin/users/ada/connect-link").text
    assert "https://headrace.example/connect/google?t=" in text


def test_every_act_is_in_the_audit(stores: None) -> None:
    add("ada")
    client = signed_in("admin")
    notice(client, "/admin/users/ada/resync", source=MAILS)
    notice(client, "/admin/users/ada/pause", lasting="")
    notice(client, "/admin/users/ada/erase", typed="ada")
    rows = collection(AuditLog).find({"action": {"$regex": "^user"}}).sort("at", 1)
    told = [(row["actor"], row["action"], row["target"], row["outcome"]) for row in rows]
    assert told == [
        ("the-admin", "user.resync", "user ada", "done"),
        ("the-admin", "user.pause", "user ada", "done"),
        ("the-admin", "user.erase", "user ada", "done"),
    ]


def test_a_dry_run_is_told_on_the_page_with_its_cost(sandbox: Any) -> None:
    from pipeline.connect import connect_google

    sandbox.add_user("ada", seed=1, calendars=1, events=5, contacts=7, messages=2)
    connect_google("ada", sandbox.authorized_user("ada"))
    client = signed_in("operator")
    said = notice(client, "/admin/users/ada/dry-run", source=PEOPLE)
    assert "would create 7" in said
    text = client.get("/admin/users/ada").text
    assert "by the-operator: a sync would create 7, update 0 and delete 0 records" in text
    found = dry_runs.tried("ada", [PEOPLE, MAILS])
    assert list(found) == [PEOPLE]
    assert found[PEOPLE].units > 0
    assert notice(client, "/admin/users/ada/dry-run", 404, source="google_dreams")


def test_two_dry_runs_of_the_same_at_once_cost_as_much_as_one(stores: None) -> None:
    from pipeline.stores import redis_client

    add("ada")
    redis_client().set(f"headrace:dry-runs:{MAILS}:running:ada", 1)
    client = signed_in("operator")
    assert "under way" in notice(client, "/admin/users/ada/dry-run", 409, source=MAILS)
