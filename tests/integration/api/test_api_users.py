"""Users over the API: listed, created, told, synced, paused, disconnected and erased."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from api_client import caller
from starlette.testclient import TestClient
from user_rows import SOURCES, connected, needs_reauth

from models import AuditLog, Connection, SyncState, User
from pipeline.jobs import reading
from pipeline.stores import collection

pytestmark = pytest.mark.usefixtures("stores")

Setting = Callable[..., None]
#: Ids that a host application may have.
ODD_IDS = ("a/b", "a%2Fb", "ada@example.com", "ada lovelace", "läufer/€?#", "..a", "%", "x:y;z=1")


@pytest.fixture
def client() -> TestClient:
    return caller()


def path(user_id: str, *more: str) -> str:
    return "/".join(["users", quote(user_id, safe=""), *more])


def audited() -> list[tuple[str, str, str]]:
    rows = collection(AuditLog).find().sort("at")
    return [(row["action"], row["target"], row["outcome"]) for row in rows]


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    return found


def test_a_user_is_created_once_and_found_again(client: TestClient) -> None:
    first = client.put("users/ada", json={"tenant_id": "acme"})
    assert (first.status_code, first.json()["tenant_id"]) == (201, "acme")
    again = client.put("users/ada")
    assert (again.status_code, again.json()) == (200, first.json())
    assert client.get("users/ada").json() == first.json()
    assert audited() == [("user.put", "user ada", "done")] * 2


def test_a_user_without_a_tenant_belongs_to_the_default_one(client: TestClient) -> None:
    assert client.put("users/ada", json={}).json()["tenant_id"] == "default"


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_an_id_may_hold_any_printable_character(client: TestClient, user_id: str) -> None:
    assert client.put(path(user_id)).status_code == 201
    assert collection(User).find_one({"_id": user_id}) is not None
    told = client.get(path(user_id))
    assert (told.status_code, told.json()["user_id"]) == (200, user_id)
    assert client.get(path(user_id, "connections")).json() == {"connections": []}
    assert client.post(path(user_id, "pause")).status_code == 200
    assert client.delete(path(user_id)).status_code == 202


@pytest.mark.parametrize(
    ("user_id", "body", "field"),
    [
        ("x" * 201, {}, "user_id"),
        ("\u200b", {}, "user_id"),
        ("ada", {"tenant_id": ""}, "tenant_id"),
        ("ada", {"tenant_id": "a\nb"}, "tenant_id"),
        ("ada", {"tenant_id": 5}, "tenant_id"),
        ("ada", {"tenant": "acme"}, "tenant"),
    ],
)
def test_an_id_that_cannot_be_one_is_refused_by_name(
    client: TestClient, user_id: str, body: dict[str, Any], field: str
) -> None:
    answer = client.put(path(user_id), json=body)
    assert answer.status_code == 422
    [found] = problem(answer)["errors"]
    assert found["field"] == field
    assert found["fix"]
    assert collection(User).count_documents({}) == 0


def test_a_user_who_changes_the_tenant_takes_the_states_along(client: TestClient) -> None:
    connected("ada", "acme")
    assert client.put("users/ada", json={"tenant_id": "beta"}).json()["tenant_id"] == "beta"
    assert collection(SyncState).distinct("tenant_id") == ["beta"]


def test_users_are_listed_a_page_at_a_time_while_others_come(client: TestClient) -> None:
    for number in range(7):
        connected(f"user{number}")
    seen: list[str] = []
    cursor = None
    while True:
        body = client.get("users", params={"limit": 3, **({"cursor": cursor} if cursor else {})})
        page = body.json()
        seen += [user["user_id"] for user in page["users"]]
        if cursor is None:
            connected("user0a")  # before the place: it is not seen, and nothing is seen twice
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"user{number}" for number in range(7)]


def test_users_are_found_by_trouble_source_tenant_and_beginning(client: TestClient) -> None:
    connected("ada", "acme")
    connected("adam", "beta", "google_tasks")
    connected("bob", "acme")
    needs_reauth("bob", "google_gmail")

    def found(**query: str) -> list[str]:
        return [user["user_id"] for user in client.get("users", params=query).json()["users"]]

    assert found(search="ada") == ["ada", "adam"]
    assert found(source="google_tasks") == ["adam"]
    assert found(tenant_id="acme") == ["ada", "bob"]
    assert found(trouble="needs_reauth") == ["bob"]
    [bob] = client.get("users", params={"trouble": "needs_reauth"}).json()["users"]
    assert bob["trouble"]["to_do"] == "Ask the user to connect again."
    assert bob["worst"] == "needs_reauth"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"source": "google_mail"}, "source"),
        ({"trouble": "lost"}, "trouble"),
        ({"trouble": "stale", "cursor": "x"}, "cursor"),
        ({"limit": "201"}, "limit"),
        ({"tenant": "acme"}, "tenant"),
    ],
)
def test_a_wrong_query_is_refused_by_field(
    client: TestClient, query: dict[str, str], field: str
) -> None:
    answer = client.get("users", params=query)
    assert answer.status_code == 422
    assert [one["field"] for one in problem(answer)["errors"]] == [field]


def test_a_user_is_told_with_why_each_source_is_as_it_is(client: TestClient) -> None:
    connected("ada")
    needs_reauth("ada", "google_gmail")
    answer = client.get("users/ada")
    calendar, gmail = answer.json()["sources"]
    assert calendar["fresh"]
    assert calendar["target_seconds"] == 900
    assert calendar["cadence"]["why"] == "new"
    assert "it is looked at every" in calendar["cadence"]["text"]
    assert gmail["trouble"]["text"] == "Access was revoked, or has expired."
    [connection] = answer.json()["connections"]
    assert (connection["provider"], connection["account"]) == ("google", "s…@…")
    for secret in ("somebody@", "ciphertext", "secret", "invalid_grant"):
        assert secret not in answer.text


def test_a_sync_is_asked_for_once_however_often_one_clicks(client: TestClient) -> None:
    connected("ada")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("users/ada/syncs"), range(4)))
    assert {answer.status_code for answer in answers} == {202}
    jobs = {
        (sync["source"], sync["message_id"])
        for answer in answers
        for sync in answer.json()["syncs"]
    }
    assert len(jobs) == len(SOURCES)
    created = [sync["created"] for answer in answers for sync in answer.json()["syncs"]]
    assert created.count(True) == len(SOURCES)


def test_the_correlation_id_of_a_request_goes_into_its_jobs_and_its_audit(
    client: TestClient,
) -> None:
    connected("ada")
    headers = {"X-Correlation-ID": "ticket-17"}
    body = {"sources": ["google_gmail"], "full": True}
    [sync] = client.post("users/ada/syncs", json=body, headers=headers).json()["syncs"]
    entry = reading.get(sync["message_id"])
    assert entry is not None
    assert (entry.correlation_id, entry.scope("tenant")) == ("ticket-17", "acme")
    row = collection(AuditLog).find_one({"action": "user.resync"})
    assert row is not None
    assert (row["correlation_id"], row["details"]) == ("ticket-17", {"sources": "google_gmail"})


def test_sources_that_wait_for_the_user_are_left_out_of_a_sync(client: TestClient) -> None:
    connected("ada")
    needs_reauth("ada", "google_gmail")
    body = client.post("users/ada/syncs").json()
    assert [sync["source"] for sync in body["syncs"]] == ["google_calendar"]
    assert body["left_out"] == ["google_gmail"]
    refused = client.post("users/ada/syncs", json={"sources": ["google_gmail"]})
    assert (refused.status_code, "connect again" in problem(refused)["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"sources": ["google_mail"]}, 422),
        ({"sources": []}, 422),
        ({"sources": "google_gmail"}, 422),
        ({"full": "perhaps"}, 422),
        ({"sources": ["google_tasks"]}, 404),
    ],
)
def test_a_sync_of_what_there_is_not_queues_nothing(
    client: TestClient, body: dict[str, Any], status: int
) -> None:
    connected("ada")
    answer = client.post("users/ada/syncs", json=body)
    assert (answer.status_code, problem(answer)["status"]) == (status, status)
    assert reading.depth("data-sync").waiting == 0


def test_a_user_is_paused_for_a_while_and_resumed(client: TestClient) -> None:
    connected("ada")
    paused = client.post("users/ada/pause", json={"reason": "moving", "lasts_seconds": 3600})
    assert paused.json()["until"].endswith("Z")
    told = client.get("users/ada").json()
    assert (told["paused"]["reason"], told["paused"]["scope"]) == ("moving", "user:ada")
    assert told["paused"]["by"].startswith("token:test-")
    assert client.post("users/ada/resume").json() == {"was_paused": True}
    assert client.post("users/ada/resume").json() == {"was_paused": False}
    assert client.get("users/ada").json()["paused"] is None


def test_a_user_is_deactivated_and_activated(client: TestClient) -> None:
    connected("ada")
    for was_active in (True, False):
        assert client.post("users/ada/deactivate").json() == {"was_active": was_active}
    told = client.get("users/ada").json()
    assert not told["active"]
    assert {source["status"] for source in told["sources"]} == {"paused"}
    assert "not active" in problem(client.post("users/ada/syncs"))["detail"]
    for was_active in (False, True):
        assert client.post("users/ada/activate").json() == {"was_active": was_active}
    assert client.get("users/ada").json()["active"]
    assert [action for action, _, _ in audited()].count("user.activate") == 2


def test_a_connect_link_is_for_this_user_and_these_sources(
    client: TestClient, setting: Setting
) -> None:
    setting(PUBLIC_BASE_URL="https://headrace.example", CONNECT_RETURN_ORIGINS="https://app.test")
    connected("ada")
    body = {"sources": ["google_gmail"], "return_to": "https://app.test/done"}
    answer = client.post("users/ada/connect-links", json=body)
    assert answer.status_code == 201
    url = answer.json()["url"]
    assert url.startswith("https://headrace.example/connect/google?t=")
    from urllib.parse import parse_qs, urlsplit

    from pipeline.web.connect.links import read_link

    link = read_link(parse_qs(urlsplit(url).query)["t"][0])
    assert (link.user_id, link.sources, link.tenant_id) == ("ada", ("google_gmail",), "acme")
    assert url not in str(list(collection(AuditLog).find()))
    foreign = client.post("users/ada/connect-links", json={"return_to": "https://evil.test/"})
    assert problem(foreign)["errors"][0]["field"] == "return_to"


def test_a_disconnect_stops_the_syncs_at_once_and_leaves_the_rest_to_a_job(
    client: TestClient,
) -> None:
    connected("ada")
    answer = client.delete("users/ada/connections/google")
    assert answer.status_code == 202
    entry = reading.get(answer.json()["message_id"])
    assert entry is not None
    assert entry.job == "disconnect"
    statuses = collection(SyncState).distinct("status", {"user_id": "ada"})
    assert statuses == ["needs_reauth"]
    [connection] = client.get("users/ada/connections").json()["connections"]
    assert connection["status"] == "disconnected"
    assert client.delete("users/ada/connections/outlook").status_code == 422


def test_erasing_fences_the_user_off_and_is_done_by_a_job(client: TestClient) -> None:
    connected("ada")
    answer = client.delete("users/ada")
    assert answer.status_code == 202
    entry = reading.get(answer.json()["message_id"])
    assert entry is not None
    assert entry.job == "erase"
    assert client.get("users/ada").json()["erasing"]
    for refused in (client.post("users/ada/syncs"), client.put("users/ada")):
        assert (refused.status_code, "is being erased" in problem(refused)["detail"]) == (409, True)
    assert client.delete("users/ada").status_code == 202


CALLS = (
    ("GET", "users/{}"),
    ("GET", "users/{}/connections"),
    ("PUT", "users/{}"),
    ("DELETE", "users/{}"),
    ("POST", "users/{}/connect-links"),
    ("POST", "users/{}/syncs"),
    ("POST", "users/{}/pause"),
    ("POST", "users/{}/resume"),
    ("POST", "users/{}/deactivate"),
    ("POST", "users/{}/activate"),
    ("DELETE", "users/{}/connections/google"),
)


@pytest.mark.parametrize(("method", "template"), CALLS)
def test_a_user_of_another_tenant_is_none(method: str, template: str) -> None:
    connected("bob", "beta")
    before = [list(collection(model).find()) for model in (User, SyncState, Connection)]
    client = caller(tenant_id="acme")
    answer = client.request(method, template.format("bob"))
    assert answer.status_code == 404
    assert "beta" not in answer.text
    if method != "PUT":  # which would create the unknown one
        unknown = problem(client.request(method, template.format("nobody")))
        assert {**unknown, "instance": ""} == {**problem(answer), "instance": ""}
    after = [list(collection(model).find()) for model in (User, SyncState, Connection)]
    assert after == before
    assert reading.depth("data-sync").waiting == 0


def test_a_token_of_a_tenant_lists_and_creates_only_its_users() -> None:
    connected("ada", "acme")
    connected("bob", "beta")
    client = caller(tenant_id="acme")
    assert [user["user_id"] for user in client.get("users").json()["users"]] == ["ada"]
    assert client.get("users", params={"tenant_id": "beta"}).json() == {"users": [], "next": None}
    assert client.put("users/carol").json()["tenant_id"] == "acme"
    stolen = client.put("users/ada", json={"tenant_id": "beta"})
    assert stolen.status_code == 403
    assert collection(User).count_documents({"tenant_id": "acme"}) == 2


def test_the_status_of_a_tenant_says_nothing_of_others() -> None:
    connected("ada", "acme")
    for name in ("bob", "carol"):
        connected(name, "beta")
    status = caller(tenant_id="acme").get("status").json()
    assert [source["users"] for source in status["sources"][:2]] == [1, 1]
    assert status["queues"] is None
    everything = caller().get("status").json()
    assert [source["users"] for source in everything["sources"][:2]] == [3, 3]
    assert {queue["queue"] for queue in everything["queues"]} >= {"data-sync", "graph"}


def test_without_the_scope_nothing_is_done() -> None:
    connected("ada")
    reader = caller("users:read")
    for method, template in CALLS[2:]:
        answer = reader.request(method, template.format("ada"))
        assert answer.status_code == 403
        assert "lacks the scope" in problem(answer)["detail"]
    assert audited() == []
