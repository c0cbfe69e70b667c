"""Jobs over the API: found, told, cancelled, promoted, retried, and kept from other tenants."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import caller
from letter_jobs import QUEUE, Deliveries, die, letters_of, only_these_jobs, working
from probes import Probes, entry, queue, send
from starlette.testclient import TestClient
from waiting import wait_until

from models import AuditLog
from pipeline.jobs import reading
from pipeline.stores import collection

QUEUE_NAME = "probe"


@pytest.fixture
def table(stores: None, probes: Probes) -> Probes:
    """A table with one job that nobody runs."""
    probes.add("greet", queue(), "user_id")
    return probes


@pytest.fixture
def client(table: Probes) -> TestClient:
    return caller("jobs:read", "jobs:write")


def audit(action: str) -> list[dict[str, Any]]:
    return list(collection(AuditLog).find({"action": action}).sort("at"))


def test_jobs_are_listed_a_page_at_a_time(client: TestClient) -> None:
    sent = [send("greet", f"user{number}").message_id for number in range(5)]
    seen, cursor = [], None
    while True:
        page = client.get("jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        body = page.json()
        seen += [job["message_id"] for job in body["jobs"]]
        if cursor is None:  # what comes meanwhile moves nothing
            send("greet", "late")
        cursor = body["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(sent)


def test_jobs_are_found_by_queue_state_and_search(client: TestClient) -> None:
    send("greet", "alice")
    late = send("greet", "bob", delay_seconds=60).message_id
    ask = {"state": "delayed", "search": "user:bob"}
    [job] = client.get("jobs", params=ask).json()["jobs"]
    assert (job["message_id"], job["state"], job["user_id"]) == (late, "delayed", "bob")
    assert client.get("jobs", params={"queue": "graph"}).json()["jobs"] == []


@pytest.mark.parametrize(
    ("query", "field", "fix"),
    [
        ({"queue": "grap"}, "queue", "give one of data-sync, "),
        ({"search": "state:lost"}, "search", "give one of waiting"),
        ({"state": "lost"}, "state", "give 'waiting', 'delayed'"),
        ({"limit": "0"}, "limit", "give at least 1"),
        ({"limit": "9" * 5000}, "limit", "give a smaller one"),
        ({"limit": "ten"}, "limit", "give a whole number"),
        ({"cursor": "yesterday"}, "cursor", "give text that matches"),
        ({"sate": "failed"}, "sate", "leave it out; there are queue, state, search"),
    ],
)
def test_a_wrong_query_is_refused_with_the_field_and_the_fix(
    client: TestClient, query: dict[str, str], field: str, fix: str
) -> None:
    answer = client.get("jobs", params=query)
    assert answer.status_code == 422
    [problem] = answer.json()["errors"]
    assert problem["field"] == field
    assert problem["fix"].startswith(fix)


def test_a_job_is_told_with_what_holds_it_up_and_without_addresses(client: TestClient) -> None:
    message_id = send("greet", "ada@example.com", tenant_id="acme").message_id
    answer = client.get("jobs/greet:ada@example.com")
    told = answer.json()
    assert (told["message_id"], told["state"], told["tenant_id"]) == (message_id, "waiting", "acme")
    assert told["arguments"] == {"user_id": "a…@…"}
    assert [hold["kind"] for hold in told["holds"]] == ["no_workers"]
    assert "ada@" not in answer.text


def test_a_slash_in_a_job_id_is_a_part_of_it(client: TestClient) -> None:
    message_id = send("greet", "a/b").message_id
    assert client.get("jobs/greet:a%2Fb").json()["message_id"] == message_id
    done = client.post("jobs/greet:a%2fb/cancel").json()
    assert (done["action"], done["message_id"]) == ("cancelled", message_id)


def test_a_waiting_job_is_cancelled_once_and_the_audit_has_both(client: TestClient) -> None:
    message_id = send("greet", "alice").message_id
    headers = {"X-Correlation-ID": "ticket-17"}
    done = client.post(f"jobs/{message_id}/cancel", headers=headers)
    assert (done.status_code, done.json()["action"]) == (200, "cancelled")
    again = client.post(f"jobs/{message_id}/cancel")
    assert (again.status_code, "nothing to cancel" in again.json()["detail"]) == (409, True)
    first, second = audit("job.cancel")
    assert (first["outcome"], second["outcome"]) == ("done", "refused")
    assert (first["target"], first["correlation_id"]) == (f"job {message_id}", "ticket-17")
    assert first["actor"].startswith("token:test-")
    assert first["origin"] == "api"


def test_a_delayed_job_is_promoted(client: TestClient) -> None:
    message_id = send("greet", "alice", delay_seconds=60).message_id
    assert client.post(f"jobs/{message_id}/promote").json()["action"] == "promoted"
    assert entry(message_id).state == "waiting"
    assert client.post(f"jobs/{message_id}/promote").status_code == 409
    assert client.post(f"jobs/{message_id}/retry").status_code == 409


def test_a_job_that_nobody_knows_is_not_found(client: TestClient) -> None:
    for path in ("jobs/nobody", "jobs/greet:%F0%9F%90%8D"):
        assert client.get(path).status_code == 404
    for action in ("cancel", "promote", "retry"):
        answer = client.post(f"jobs/nobody/{action}")
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:headrace:problem:not-found"


def test_jobs_of_other_tenants_are_neither_seen_nor_touched(table: Probes) -> None:
    mine = send("greet", "alice", tenant_id="acme").message_id
    others = [send("greet", "bob", tenant_id="beta"), send("greet", "carol")]
    client = caller("jobs:read", "jobs:write", tenant_id="acme")
    for search in ("", "greet", "tenant:beta"):
        found = client.get("jobs", params={"search": search}).json()["jobs"]
        assert {job["message_id"] for job in found} <= {mine}
    for other in others:
        for name in (other.message_id, other.job_id):
            assert client.get(f"jobs/{name}").status_code == 404
            assert client.post(f"jobs/{name}/cancel").status_code == 404
        assert entry(other.message_id).state == "waiting"
    assert client.get(f"jobs/{mine}").status_code == 200


def test_a_failed_job_is_retried_by_a_job_that_replays_its_dead_letter(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = Deliveries()
    with only_these_jobs(monkeypatch), working(deliveries):
        [failed] = die(deliveries, "alice")
        deliveries.failing.clear()
        client = caller("jobs:read", "jobs:write")
        answer = client.post(f"jobs/{failed}/retry")
        assert (answer.status_code, answer.json()["action"]) == (202, "replaying")
        message_id = answer.json()["message_id"]
        wait_until(lambda: client.get(f"jobs/{message_id}").json()["state"] == "completed", "done")
        assert client.get(f"jobs/{message_id}").json()["summary"] == "1 replayed"
        assert deliveries.done == {"alice": 1}
        again = client.post(f"jobs/{failed}/retry").json()
        assert again["action"] == "sent"
        wait_until(lambda: reading.depth(QUEUE.name).waiting == 0, "it runs")


def test_a_job_whose_letter_was_settled_is_sent_anew_and_says_so(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import dead_letters

    deliveries = Deliveries()
    with only_these_jobs(monkeypatch), working(deliveries):
        [failed] = letters_of(deliveries, "alice")
        dead_letters.dismiss({"_id": failed}, "ada", "left")
        deliveries.failing.clear()
        answer = caller("jobs:write").post(f"jobs/{failed}/retry").json()
        assert (answer["action"], answer["message_id"] != failed) == ("sent", True)
        wait_until(lambda: deliveries.done["alice"] == 1, "it runs")
