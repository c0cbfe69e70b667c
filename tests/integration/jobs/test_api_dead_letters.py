"""Dead letters over the API: groups, replays that a job carries on, dismissals, tenants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_client import caller
from letter_jobs import Deliveries, letters_of, only_these_jobs, working
from starlette.testclient import TestClient
from waiting import wait_until

from models import AuditLog, DeadLetter
from pipeline import dead_letters
from pipeline.dead_letters import replaying
from pipeline.errors import Unfinished
from pipeline.stores import collection


@pytest.fixture
def deliveries(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliveries]:
    """The jobs of these tests, and a worker."""
    made = Deliveries()
    with only_these_jobs(monkeypatch), working(made):
        yield made


@pytest.fixture
def client(deliveries: Deliveries) -> TestClient:
    return caller("dead_letters:read", "dead_letters:write", "jobs:read")


def group_of(letter_id: str) -> str:
    found = dead_letters.find(letter_id)
    assert found is not None
    return str(found["fingerprint"])


def statuses() -> dict[str, str]:
    return {row["user_id"]: row["status"] for row in collection(DeadLetter).find()}


def ended(client: TestClient, message_id: str) -> dict[str, Any]:
    """Wait until a job has ended, and return it."""

    def job() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"jobs/{message_id}").json()
        return found

    wait_until(lambda: job()["state"] in ("completed", "failed"), "the replay has ended")
    return job()


def test_groups_are_listed_with_a_redacted_sample(
    client: TestClient, deliveries: Deliveries
) -> None:
    [name] = letters_of(deliveries, "ada@example.com")
    answer = client.get("dead-letters")
    [group] = answer.json()["groups"]
    assert (group["group"], group["letters"], group["users"]) == (group_of(name), 1, 1)
    assert group["sample"]["arguments"] == {"user_id": "a…@…"}
    assert group["sample"]["log"][0]["text"].startswith("on the way")
    assert "ada@" not in answer.text
    assert client.get("dead-letters", params={"status": "dismissed"}).json()["groups"] == []


def test_the_letters_of_a_group_come_a_page_at_a_time(
    client: TestClient, deliveries: Deliveries
) -> None:
    [name, *_] = names = letters_of(deliveries, *(f"user{number}" for number in range(5)))
    path = f"dead-letters/{group_of(name)}"
    first = client.get(path, params={"limit": 3}).json()
    rest = client.get(path, params={"limit": 3, "cursor": first["next"]}).json()
    assert sorted(letter["id"] for letter in first["page"] + rest["page"]) == sorted(names)
    assert (len(first["page"]), rest["next"], rest["letters"]) == (3, None, 5)


def test_a_group_is_replayed_by_one_job_however_often_it_is_asked_for(
    client: TestClient, deliveries: Deliveries
) -> None:
    [name, *_] = letters_of(deliveries, *(f"user{number}" for number in range(13)))
    deliveries.failing.clear()
    answers = [client.post(f"dead-letters/{group_of(name)}/replay") for _ in range(2)]
    first = answers[0]
    assert first.status_code == 202
    message_id = first.json()["job"]["message_id"]
    assert first.headers["location"] == f"/api/v1/jobs/{message_id}"
    if answers[1].status_code == 202:  # it may have ended meanwhile
        assert answers[1].json()["job"]["message_id"] == message_id
        assert not answers[1].json()["created"]
    assert ended(client, message_id)["summary"] == "13 replayed"
    assert set(statuses().values()) == {"replayed"}
    assert all(count == 1 for count in deliveries.done.values())
    assert client.post(f"dead-letters/{group_of(name)}/replay").status_code == 409
    audit = collection(AuditLog).find_one({"action": "dead_letters.replay"})
    assert audit is not None
    assert (audit["target"], audit["outcome"]) == (f"group {group_of(name)}", "done")
    letter = collection(DeadLetter).find_one({})
    assert letter is not None
    assert letter["acted_by"] == audit["actor"]


def test_a_replay_that_fails_again_stops_and_says_so(
    client: TestClient, deliveries: Deliveries
) -> None:
    [name, *_] = letters_of(deliveries, "alice", "bob")
    message_id = client.post(f"dead-letters/{group_of(name)}/replay").json()["job"]["message_id"]
    summary = ended(client, message_id)["summary"]
    assert summary.startswith("0 replayed; 1 failed again; stopped: 1 of 1 failed again (canary")
    assert summary.endswith("1 are left as they were")
    assert set(statuses().values()) == {"open"}


def test_a_replay_takes_turns_while_the_outcome_is_open(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a worker nothing ends: the job gives its thread back and comes again."""
    monkeypatch.setattr(replaying, "_TURN_SECONDS", 0.05)
    made = Deliveries()
    with only_these_jobs(monkeypatch):
        with working(made):
            [name] = letters_of(made, "alice")
            made.failing.clear()
        args = (group_of(name), "", "", "ada")
        for _ in range(2):
            with pytest.raises(Unfinished):
                replaying.carry_on(*args)
        assert statuses() == {"alice": "replaying"}
        with working(made):
            wait_until(lambda: made.done["alice"] == 1, "the letter's job has run")
        replaying.carry_on(*args)
    assert statuses() == {"alice": "replayed"}


def test_a_replay_gives_up_when_nobody_runs_its_jobs(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "_TURN_SECONDS", 0.05)
    made = Deliveries()
    with only_these_jobs(monkeypatch):
        with working(made):
            [name] = letters_of(made, "alice")
        with pytest.raises(Unfinished):
            replaying.carry_on(group_of(name), "", "", "ada")
        hours_ago = datetime.now(UTC) - timedelta(hours=2)
        collection(DeadLetter).update_one({}, {"$set": {"acted_at": hours_ago}})
        monkeypatch.setattr(replaying, "_began_at", lambda: hours_ago)
        replaying.carry_on(group_of(name), "", "", "ada")
    assert statuses() == {"alice": "replaying"}


def test_a_group_is_dismissed_with_a_reason(client: TestClient, deliveries: Deliveries) -> None:
    [name, _] = letters_of(deliveries, "alice", "bob")
    path = f"dead-letters/{group_of(name)}/dismiss"
    answer = client.post(path, json={"reason": " both have left "})
    assert answer.json() == {"dismissed": 2}
    letter = collection(DeadLetter).find_one({"_id": name})
    assert letter is not None
    assert letter["dismiss_reason"] == "both have left"
    again = client.post(path, json={"reason": "again"})
    assert (again.status_code, "settled them all" in again.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b'{"reason": "', 400, "the body is not JSON"),
        (b'{"reason": "\xff"}', 400, "UTF-8"),
        (b"[" * 60_000, 400, "JSON"),
        (b'{"reason": ' + b"9" * 5000 + b"}", 400, "JSON"),
        (b"", 422, "body is missing"),
        (b"[]", 422, "is no object"),
        (b"{}", 422, "reason is missing"),
        (b'{"reason": 5}', 422, "reason is no text"),
        (b'{"reason": "   "}', 422, "reason is too short"),
        (b'{"reason": "\\ud800"}', 422, "reason holds half a character"),
        (b'{"reason": "x", "resaon": "y"}', 422, "resaon is not known"),
        (b'{"reason": "%s"}' % (b"x" * 501), 422, "reason is too long"),
        (b'{"reason": "%s"}' % (b"x" * 70_000), 413, "at most 65536 bytes"),
    ],
)
def test_a_body_that_is_not_as_it_should_be_is_refused_in_words(
    client: TestClient, deliveries: Deliveries, body: bytes, status: int, text: str
) -> None:
    [name] = letters_of(deliveries, "alice")
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"dead-letters/{group_of(name)}/dismiss", content=body, headers=headers)
    assert answer.status_code == status
    assert text in answer.json()["detail"]
    assert statuses() == {"alice": "open"}


def test_letters_of_other_tenants_are_neither_seen_nor_touched(deliveries: Deliveries) -> None:
    [mine] = letters_of(deliveries, "alice", tenant_id="acme")
    letters_of(deliveries, "bob", "carol", tenant_id="beta")
    group = group_of(mine)
    client = caller(tenant_id="acme")
    [listed] = client.get("dead-letters").json()["groups"]
    assert (listed["letters"], listed["sample"]["user_id"]) == (1, "alice")
    assert [letter["id"] for letter in client.get(f"dead-letters/{group}").json()["page"]] == [mine]
    assert client.post(f"dead-letters/{group}/dismiss", json={"reason": "x"}).json() == {
        "dismissed": 1
    }
    assert statuses() == {"alice": "dismissed", "bob": "open", "carol": "open"}
    stranger = caller(tenant_id="gamma")
    assert stranger.get(f"dead-letters/{group}").status_code == 404
    assert stranger.post(f"dead-letters/{group}/replay").status_code == 404


def test_a_replay_for_one_tenant_leaves_the_others(deliveries: Deliveries) -> None:
    [mine] = letters_of(deliveries, "alice", tenant_id="acme")
    letters_of(deliveries, "bob", tenant_id="beta")
    deliveries.failing.clear()
    client = caller(tenant_id="acme")
    job = client.post(f"dead-letters/{group_of(mine)}/replay").json()["job"]
    assert ended(client, job["message_id"])["tenant_id"] == "acme"
    assert statuses() == {"alice": "replayed", "bob": "open"}
    assert deliveries.done == {"alice": 1}
