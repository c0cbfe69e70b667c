"""`headrace connect, users, sync, status, sandbox` against real stores and a sandbox."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import document, headrace, nobody
from waiting import answers, wait_until

from models import Connection, DeadLetter, Record, SyncState, User
from pipeline.clients import graph
from pipeline.config import settings
from pipeline.errors import Transient
from pipeline.jobs import controls
from pipeline.projections import search
from pipeline.projections.graph import advance
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

SIZE = {"calendars": 2, "events": 12, "messages": 6, "contacts": 7, "task_lists": 1, "tasks": 5}
SOURCES = ["google_calendar", "google_contacts", "google_gmail", "google_tasks"]


@pytest.fixture
def ada(sandbox: SandboxClient) -> str:
    """A user of the sandbox, connected."""
    sandbox.add_user("ada", seed=1, **SIZE)
    result = headrace("connect", "ada", "--sandbox")
    assert result.exit_code == 0, result.output
    return "ada"


def test_a_connected_user_has_every_source_due_at_once(ada: str) -> None:
    states = list(collection(SyncState).find({"user_id": ada}))
    assert sorted(state["source"] for state in states) == SOURCES
    assert all(state["next_due_at"] is not None for state in states)
    assert collection(User).count_documents({"_id": ada}) == 1


@pytest.mark.parametrize("form", ["file", "stdin"])
def test_only_sources_whose_scopes_are_granted_are_opened(
    sandbox: SandboxClient, tmp_path: Path, form: str
) -> None:
    sandbox.add_user("bob", seed=2, **SIZE)
    scope = "https://www.googleapis.com/auth/tasks.readonly"
    grant = json.dumps(sandbox.authorized_user("bob", [scope]))
    path = tmp_path / "grant.json"
    path.write_text(grant)
    where = str(path) if form == "file" else "-"
    result = headrace("connect", "bob", "--file", where, "--json", stdin=grant)
    assert json.loads(result.stdout)["sources"] == ["google_tasks"]


def test_a_grant_with_a_missing_field_names_it_and_stores_nothing(stores: None) -> None:
    result = headrace("connect", "bob", "--file", "-", stdin='{"client_id": "x"}')
    assert result.exit_code == 1
    assert "client_secret" in result.stderr
    assert collection(Connection).count_documents({}) == 0


def test_the_sandbox_suggests_the_user_that_may_be_meant(sandbox: SandboxClient) -> None:
    sandbox.add_user("user0001", seed=1)
    result = headrace("connect", "user001", "--sandbox")
    assert result.exit_code == 2
    assert "did you mean 'user0001'?" in result.stderr


def test_accounts_at_composio_open_their_sources(stores: None) -> None:
    result = document("connect", "cleo", "--composio", "gmail=ca_1,googletasks=ca_2")
    assert sorted(result["sources"]) == ["google_gmail", "google_tasks"]
    assert "ca_1" not in str(collection(Connection).find_one({"user_id": "cleo"}))


def test_sync_brings_everything_and_a_second_one_finds_nothing_new(
    ada: str, sandbox: SandboxClient
) -> None:
    first = document("sync", ada)
    assert [sync["source"] for sync in first["syncs"]] == SOURCES
    assert all(sync["ok"] for sync in first["syncs"])
    created = sum(sync["created"] for sync in first["syncs"])
    assert created == collection(Record).count_documents({"user_id": ada}) > 0
    second = headrace("sync", ada)
    assert second.exit_code == 0
    again = document("sync", ada, "google_tasks", "--full")["syncs"]
    assert [(sync["created"], sync["updated"], sync["deleted"]) for sync in again] == [(0, 0, 0)]
    assert again[0]["unchanged"] > 0


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    ada: str, sandbox: SandboxClient
) -> None:
    dry = document("sync", ada, "google_contacts", "--dry-run")["syncs"][0]
    assert (dry["outcome"], dry["created"] > 0) == ("dry_run", True)
    assert collection(Record).count_documents({}) == 0
    real = document("sync", ada, "google_contacts")["syncs"][0]
    assert real["created"] == dry["created"]


def test_a_failed_sync_ends_with_1_and_the_other_sources_are_synced(
    ada: str, sandbox: SandboxClient
) -> None:
    sandbox.fault("status", match={"api": "tasks"}, params={"code": 503}, times=5)
    result = headrace("sync", ada, "--json")
    assert result.exit_code == 1
    syncs = {sync["source"]: sync for sync in json.loads(result.stdout)["syncs"]}
    assert "503" in syncs["google_tasks"]["why"]
    assert [name for name, sync in syncs.items() if not sync["ok"]] == ["google_tasks"]


def test_a_source_that_is_not_connected_cannot_be_synced(stores: None) -> None:
    headrace("connect", "cleo", "--composio", "gmail=ca_1")
    result = headrace("sync", "cleo", "google_tasks")
    assert result.exit_code == 2
    assert "has not connected google_tasks" in result.stderr


@pytest.mark.parametrize("command", ["status", "sync"])
def test_an_unknown_user_suggests_the_nearest(ada: str, command: str) -> None:
    result = headrace(command, "adda")
    assert result.exit_code == 2
    assert "did you mean 'ada'?" in result.stderr


def test_sync_all_makes_everybody_due_but_those_that_wait_for_a_person(
    ada: str, sandbox: SandboxClient
) -> None:
    document("sync", ada)
    states = collection(SyncState)
    states.update_one({"user_id": ada, "source": "google_tasks"}, {"$set": {"status": "paused"}})
    before = datetime.now(UTC)
    assert states.count_documents({"next_due_at": {"$lte": before}}) == 0
    assert document("sync", "--all") == {"requested": 3, "held": 1, "queued": True}
    assert states.count_documents({"next_due_at": {"$lte": datetime.now(UTC)}}) == 3


def test_sync_all_tells_what_is_paused(ada: str) -> None:
    controls.pause("queue:data-sync", reason="a new release", by="bob")
    result = headrace("sync", "--all")
    assert result.exit_code == 0
    assert "queue data-sync: paused by bob until somebody resumes it, a new release" in (
        result.stderr
    )


def test_status_says_that_the_user_must_connect_again(ada: str, sandbox: SandboxClient) -> None:
    sandbox.tokens(ada, "revoke")
    headrace("sync", ada, "google_gmail")
    result = headrace("status")
    assert result.exit_code == 1
    assert "the user must connect again" in result.stdout
    found = document("status", ada)
    [failure] = found["failures"]
    assert (failure["source"], failure["status"]) == ("google_gmail", "needs_reauth")
    assert failure["examples"] == [ada]
    assert found["runs"][0]["outcome"] == "needs_reauth"


def test_status_of_a_healthy_fleet_ends_with_0(ada: str, sandbox: SandboxClient) -> None:
    document("sync", ada)
    result = headrace("status", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [source["share"] for source in found["sources"]] == [1.0] * 4
    assert found["stores"] == {"mongodb": None, "redis": None, "graph": None}
    assert headrace("status", ada).exit_code == 0


@pytest.mark.parametrize(
    ("down", "setting", "scheme"),
    [("redis", "REDIS_URL", "redis"), ("graph", "GRAPH_URI", "bolt")],
)
def test_status_shows_freshness_while_another_store_is_down(
    ada: str, down: str, setting: str, scheme: str
) -> None:
    result = headrace("status", "--json", **{setting: nobody(scheme)})
    assert result.exit_code == 4
    found = json.loads(result.stdout)
    assert [name for name, problem in found["stores"].items() if problem] == [down]
    assert len(found["sources"]) == 4
    plain = headrace("status", **{setting: nobody(scheme)})
    assert setting in plain.stdout
    assert "google_gmail" in plain.stdout


def test_status_tells_what_is_set_aside_and_why(ada: str, sandbox: SandboxClient) -> None:
    broken = {"what": "no_id", "mode": "add"}
    sandbox.fault("malformed_item", match={"method": "tasks.list"}, params=broken)
    document("sync", ada, "google_tasks")
    [rejected] = document("status", ada)["rejected"]
    assert (rejected["source"], rejected["items"]) == ("google_tasks", 1)
    assert rejected["reason"] in headrace("status").stdout


def test_status_tells_why_the_graph_lags(ada: str, sandbox: SandboxClient) -> None:
    document("sync", ada, "google_tasks")
    document("sync", ada, "google_contacts")
    settings.cache_clear()
    graph.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAPH_URI", nobody("bolt"))
        settings.cache_clear()
        with pytest.raises(Transient):
            advance(ada)
    graph.close()
    result = headrace("status", "--json")
    assert result.exit_code == 1
    [failure] = json.loads(result.stdout)["graph_failures"]
    assert failure["users"] == 1
    assert failure["reason"] in headrace("status", ada).stdout


def test_status_tells_why_search_lags(ada: str, setting: Callable[..., None]) -> None:
    document("sync", ada, "google_tasks")
    setting(SEARCH_URL=nobody("http"))
    with pytest.raises(Transient):
        search.advance(ada)
    result = headrace("status", "--json")
    assert result.exit_code == 1
    [failure] = json.loads(result.stdout)["search_failures"]
    assert failure["users"] == 1
    assert "SEARCH_URL" in failure["reason"]
    assert "Why search lags" in headrace("status", ada).stdout


def test_status_shows_the_queues_while_mongodb_is_down(stores: None) -> None:
    result = headrace("status", MONGODB_URI=f"{nobody('mongodb')}/headrace")
    assert result.exit_code == 4
    assert "MONGODB_URI" in result.stdout
    assert "data-sync" in result.stdout


def test_status_shows_what_is_paused_until_when_and_why(ada: str) -> None:
    until = datetime(2199, 1, 2, 12, 3, 10, tzinfo=UTC)
    why = "the provider's project quota is used up"
    controls.pause("source:google_gmail", reason=why, by="quota", until=until)
    controls.pause("queue:graph", reason="new indexes", by="bob")
    plain = " ".join(headrace("status").stdout.split())
    assert f"google_gmail: paused until 2199-01-02 12:03:10 UTC, {why}" in plain
    assert "queue graph: paused by bob until somebody resumes it, new indexes" in plain
    [graph_queue, gmail] = document("status")["pauses"]
    assert (graph_queue["scope"], graph_queue["until"]) == ("queue:graph", None)
    assert gmail["until"].startswith("2199-01-02T12:03:10")
    assert (gmail["reason"], gmail["by"]) == (why, "quota")


def test_status_counts_dead_letters_and_ends_with_1(stores: None) -> None:
    letter = {"_id": "m1", "job_id": "j1", "queue": "graph", "status": "open"}
    collection(DeadLetter).insert_one(letter)
    result = headrace("status", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["queues"]["graph"]["dead_letters"] == 1
    collection(DeadLetter).update_one({}, {"$set": {"status": "dismissed"}})
    assert headrace("status").exit_code == 0


def test_users_are_listed_in_order_and_by_status(stores: None) -> None:
    for name in ("cleo", "ada", "bob"):
        headrace("connect", name, "--composio", "gmail=ca_1,googletasks=ca_2")
    collection(SyncState).update_many({"user_id": "bob"}, {"$set": {"status": "needs_reauth"}})
    assert [user["user"] for user in document("users")["users"]] == ["ada", "bob", "cleo"]
    two = document("users", "--limit", "2")
    assert ([user["user"] for user in two["users"]], two["more"]) == (["ada", "bob"], True)
    waiting = document("users", "--status", "needs_reauth")
    assert ([user["user"] for user in waiting["users"]], waiting["more"]) == (["bob"], False)
    assert "needs_reauth, never" in headrace("users").stdout


def test_the_sandbox_is_changed_from_the_command_line(ada: str, sandbox: SandboxClient) -> None:
    changed = document("sandbox", "mutate", "--seed", "3", "--changes", "5", "--users", ada)
    assert (changed["seed"], changed["changes"]) == (3, 5)
    [user] = document("sandbox", "users")["users"]
    assert "@" not in json.dumps(user)
    headrace("sandbox", "fault", "status", "--param", "code=503", "--match", "api=tasks")
    [fault] = sandbox.faults()
    assert (fault["params"], fault["match"], fault["left"]) == ({"code": 503}, {"api": "tasks"}, 1)
    headrace("sandbox", "fault", "--clear")
    assert sandbox.faults() == []
    assert document("sandbox", "expire-cursors", "--user", ada) == {"expired": 4}
    document("sync", ada)
    assert "calendarList.list" in headrace("sandbox", "usage", "--clear").stdout
    assert document("sandbox", "usage") == {"usage": []}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["mutate", "--users", "adda"], "did you mean 'ada'?"),
        (["fault", "stauts"], "known are status"),
    ],
)
def test_what_the_sandbox_does_not_know_is_wrong_use(
    ada: str, arguments: list[str], hint: str
) -> None:
    result = headrace("sandbox", *arguments)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_a_sandbox_that_does_not_run_is_no_answer() -> None:
    result = headrace("sandbox", "users", "--url", nobody("http"))
    assert result.exit_code == 4
    assert "sandbox" in result.stderr


def test_a_sandbox_serves_until_it_is_told_to_stop() -> None:
    program = [sys.executable, "-c", "from pipeline.cli.main import main; main()", "sandbox"]
    options = ["--port", "0", "--data", ":memory:", "--json"]
    with subprocess.Popen([*program, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = "".join(iter(process.stdout.readline, "}\n")) + "}"
        url = json.loads(printed)["GOOGLE_API_BASE_URL"]
        client = SandboxClient(url)
        wait_until(lambda: answers(client), "the sandbox answers")
        assert document("sandbox", "users", "--url", url) == {"users": []}
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
