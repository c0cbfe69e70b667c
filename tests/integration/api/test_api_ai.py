"""AI by the API: asked once, answered by a tenant's own rows alone, refused by the field."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from api_client import caller
from starlette.testclient import TestClient

from models import AuditLog
from pipeline.platform import ai
from pipeline.stores import collection

TEXT = (
    "The invoice 4711 for the new printers is due on Friday. "
    "Please pay the invoice of 300 EUR to our bank account. "
    "If the invoice is paid late, the bank charges a fee."
)


@pytest.fixture
def tenant(stores: None) -> str:
    """A tenant that no other test has."""
    return f"tenant-{secrets.token_hex(4)}"


@pytest.fixture
def client(tenant: str) -> TestClient:
    """A client that may ask for this tenant."""
    return caller("ai:read", "ai:write", tenant_id=tenant)


def asked(client: TestClient, **body: Any) -> Any:
    """Ask for a summary, or what `body` says; return the answer."""
    return client.post("ai/requests", json={"type": "generate-summary", "content": TEXT} | body)


def wrong(answer: Any) -> list[str]:
    """Return which fields a refusal is about."""
    assert answer.status_code == 422, answer.text
    return [one["field"] for one in answer.json()["errors"]]


def test_a_summary_is_asked_for_once_and_answered(client: TestClient) -> None:
    first = asked(client)
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    request_id = first.json()["id"]
    assert asked(client).json()["id"] == request_id
    ai.run(request_id)
    done = client.get(f"ai/requests/{request_id}").json()
    assert (done["status"], done["provider"], done["error"]) == ("done", "local", None)
    assert "invoice" in done["result"]["summary"]
    assert asked(client).status_code == 200
    assert "Please pay" not in str({**done, "result": None})


def test_nothing_is_told_to_a_token_of_another_tenant(client: TestClient, tenant: str) -> None:
    request_id = asked(client).json()["id"]
    others = caller("ai:read", "ai:write", tenant_id="other")
    assert others.get(f"ai/requests/{request_id}").status_code == 404
    assert others.get("ai/requests").json()["requests"] == []
    for end in ("requests", "usage", f"requests/{request_id}"):
        assert others.get(f"ai/{end}", params={"tenant_id": tenant}).status_code == 404
    assert others.post(f"ai/requests/{request_id}/retries").status_code == 404
    assert asked(others, tenant_id=tenant).status_code == 404
    everybody = caller("ai:read")
    assert wrong(everybody.get("ai/requests")) == ["tenant_id"]
    found = everybody.get("ai/requests", params={"tenant_id": tenant}).json()["requests"]
    assert [one["id"] for one in found] == [request_id]


def test_a_token_needs_the_scope(tenant: str) -> None:
    assert asked(caller("ai:read", tenant_id=tenant)).status_code == 403
    assert caller("ai:write", tenant_id=tenant).get("ai/types").status_code == 403


def test_a_refusal_names_the_field(client: TestClient) -> None:
    assert wrong(asked(client, options={"style": "long"})) == ["options.style"]
    assert wrong(asked(client, type="sing")) == ["type"]
    assert wrong(asked(client, content="")) == ["content"]
    assert wrong(asked(client, entity={"kind": "record", "id": "0" * 32})) == ["content"]
    entity = {"kind": "record", "id": "0" * 32}
    assert wrong(asked(client, content=None, entity=entity)) == ["entity.id"]
    assert asked(client, user_id="nobody").status_code == 404
    answer = asked(client, type="translate")
    assert answer.status_code in (409, 422)
    assert "AI_API_KEY" in answer.text


def test_a_long_text_is_taken(client: TestClient) -> None:
    answer = asked(client, content=TEXT * 500)
    assert answer.status_code == 202, answer.text
    assert wrong(asked(client, content="x" * 100_001)) == ["content"]


def test_requests_are_listed_in_pages_and_by_what_they_are(client: TestClient) -> None:
    ids = [asked(client, content=f"{TEXT} {number}").json()["id"] for number in range(3)]
    first = client.get("ai/requests", params={"limit": 2}).json()
    rest = client.get("ai/requests", params={"limit": 2, "cursor": first["next"]}).json()
    found = [one["id"] for one in first["requests"] + rest["requests"]]
    assert (found, rest["next"]) == (ids[::-1], None)
    entity = first["requests"][0]["entity"]
    query = {"entity_kind": entity["kind"], "entity_id": entity["id"]}
    found = client.get("ai/requests", params=query).json()["requests"]
    assert [one["id"] for one in found] == [ids[2]]
    assert client.get("ai/requests", params={"status": "done"}).json()["requests"] == []
    assert wrong(client.get("ai/requests", params={"entity_kind": "text"})) == ["entity_id"]


def test_only_what_has_failed_is_tried_again(client: TestClient) -> None:
    request_id = asked(client).json()["id"]
    answer = client.post(f"ai/requests/{request_id}/retries")
    assert wrong(answer) == ["request_id"]


def test_usage_is_told_by_type_and_so_are_types_and_quotas(client: TestClient) -> None:
    ai.run(asked(client).json()["id"])
    usage = client.get("ai/usage").json()
    [use] = usage["uses"]
    assert (use["type"], use["provider"], use["calls"]) == ("generate-summary", "local", 1)
    assert {one["name"] for one in usage["quotas"]} >= {"requests_minute", "tokens_day"}
    types = {one["type"]: one for one in client.get("ai/types").json()}
    assert types["translate"]["local"] is False
    assert "style" in types["generate-summary"]["options"]["properties"]


def test_the_audit_says_who_asked_but_not_what(client: TestClient, tenant: str) -> None:
    asked(client)
    [row] = collection(AuditLog).find({"target": f"tenant {tenant}"})
    assert (row["action"], row["origin"]) == ("ai.ask", "api")
    assert "invoice" not in str(row)
