"""Campaigns by the API: from a plan that is refused to one that is over."""

from __future__ import annotations

import json
from typing import Any

import outreach_rows as rows
import pytest
from api_outreach import at, owner, pages, wrong
from starlette.testclient import TestClient

from pipeline.outreach.plans.examples import welcome


@pytest.fixture
def client(stores: None) -> TestClient:
    return owner()


@pytest.fixture
def path(client: TestClient) -> str:
    """Where a new campaign is."""
    made = client.post(at("/campaigns"), json={"name": "Spring", "description": "x"})
    assert made.status_code == 201, made.text
    return at(f"/campaigns/{made.json()['id']}")


def publish(client: TestClient, path: str, plan: Any) -> Any:
    published = client.post(f"{path}/plans", json=plan)
    assert published.status_code == 201, published.text
    return published


def test_a_plan_that_is_wrong_is_refused_by_path(client: TestClient, path: str) -> None:
    assert wrong(client.post(f"{path}/activate"), 409) == ["plan"]
    broken = welcome("Europe/Nowhere")
    broken["nodes"][0]["transitions"][2] |= {"after": "PT0S", "to": "nobody"}
    paths = ["timezone", "nodes[0].transitions[2].to", "nodes[0].transitions[2].after"]
    checked = client.post(at("/plan-checks"), json=broken).json()
    assert not checked["is_valid"]
    assert {one["field"] for one in checked["errors"]} >= {paths[0], paths[2]}
    assert set(wrong(client.post(f"{path}/plans", json=broken))) >= {paths[0], paths[2]}
    assert client.post(at("/plan-checks"), json=welcome()).json()["is_valid"]


def test_what_no_plan_can_be_is_refused_too(client: TestClient) -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"nodes": [deep]}
    assert wrong(client.post(at("/plan-checks"), json=deep)) == ["plan"]
    half = json.dumps({"\ud800": 1})
    as_json = {"Content-Type": "application/json"}
    for answer in (
        client.post(at("/plan-checks"), content=half, headers=as_json),
        client.post(at("/contacts"), content=f'{{"fields": {half}}}', headers=as_json),
        client.post(at("/contacts"), content=half, headers=as_json),
    ):
        assert answer.status_code in (200, 422), answer.text


def test_plans_are_published_as_versions(client: TestClient, path: str) -> None:
    published = publish(client, path, welcome())
    assert published.headers["location"].endswith("/plans/1")
    nodes = published.json()["nodes"]
    assert [node["id"] for node in nodes] == ["welcome", "follow-up", "reminder", "end"]
    assert nodes[0]["edges"][1]["to"] == "follow-up"
    large = welcome()
    large["nodes"][0]["body"] = "<p>" + "x" * 100_000 + "</p>"
    assert client.post(f"{path}/plans", json=large).json()["number"] == 2
    assert [v["number"] for v in client.get(f"{path}/plans").json()["versions"]] == [2, 1]
    assert client.get(f"{path}/plans/1").json()["plan"] == published.json()["plan"]
    assert client.get(f"{path}/plans/3").status_code == 404


def test_a_campaign_says_what_it_lacks(client: TestClient, path: str) -> None:
    publish(client, path, welcome())
    unready = client.get(f"{path}/readiness").json()
    assert [one["field"] for one in unready["problems"]] == ["email_sender_id"]
    assert wrong(client.patch(path, json={"email_sender_id": "none"})) == ["email_sender_id"]
    client.patch(path, json={"email_sender_id": rows.sender(), "description": None})
    assert client.get(f"{path}/readiness").json() == {"is_ready": True, "problems": []}


def test_contacts_are_enrolled_each_once(client: TestClient, path: str) -> None:
    people = rows.contacts(3)
    assert wrong(client.post(f"{path}/enrollments", json={})) == ["contact_ids"]
    both = {"contact_ids": people, "all_contacts": True}
    assert wrong(client.post(f"{path}/enrollments", json=both)) == ["contact_ids"]
    gone = client.post(f"{path}/enrollments", json={"import_id": "none"})
    assert wrong(gone) == ["import_id"]
    some = {"contact_ids": [*people[:2], "nobody"]}
    done = client.post(f"{path}/enrollments", json=some).json()
    assert done == {"added": 2, "already": 0, "refused": 1}
    done = client.post(f"{path}/enrollments", json={"all_contacts": True}).json()
    assert done == {"added": 1, "already": 2, "refused": 0}


def test_a_campaign_goes_from_its_start_to_its_end(client: TestClient, path: str) -> None:
    publish(client, path, welcome())
    client.patch(path, json={"email_sender_id": rows.sender(), "description": None})
    rows.contacts(3)
    client.post(f"{path}/enrollments", json={"all_contacts": True})
    assert client.post(f"{path}/activate", json={"reason": "go"}).json()["status"] == "active"
    assert client.delete(path).status_code == 409
    assert client.post(f"{path}/pause").json()["status"] == "paused"
    assert client.post(f"{path}/resume").json()["status"] == "active"
    told = client.get(path).json()
    assert (told["description"], told["plan"]["number"], told["stats"]["sent"]) == (None, 1, 0)
    assert sum(told["enrollments"].values()) == 3
    stopped = client.post(f"{path}/stop", json={"reason": "enough"}).json()
    assert (stopped["status"], stopped["status_reason"]) == ("stopped", "enough")
    assert client.post(f"{path}/activate").status_code == 409


def test_a_draft_is_found_and_deleted(client: TestClient) -> None:
    people = rows.contacts(3)
    draft = client.post(at("/campaigns"), json={"name": "Draft"}).json()["id"]
    assert next(pages(client, "/campaigns", "campaigns")) == draft
    assert list(pages(client, "/campaigns", "campaigns", status="draft")) == [draft]
    everybody = {"all_contacts": True}
    assert client.post(at(f"/campaigns/{draft}/enrollments"), json=everybody).json()["added"] == 3
    stopped = client.post(at(f"/enrollments/{draft}:{people[0]}/stop"))
    assert stopped.json()["status"] == "stopped", stopped.text
    assert client.delete(at(f"/campaigns/{draft}")).status_code == 204
