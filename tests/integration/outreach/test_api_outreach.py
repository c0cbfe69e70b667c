"""Outreach by the API: masked unless revealed, of a tenant alone, refusals by field or path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import outreach_rows as rows
import pytest
from api_client import caller
from api_outreach import at, owner, pages, wrong
from sending_rows import Case
from starlette.testclient import TestClient

from models import AuditLog, OutboundMessage, OutreachDelivery, SenderIdentity, Tenant
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.population import EMAIL_DOMAIN
from pipeline.stores import collection

READS, REVEALS, WRITES = "outreach:read", "outreach:reveal", "outreach:write"
ADA = {"email": "Ada@Shop.example", "first_name": "Ada", "company": "Shop", "fields": {"n": 7}}


@pytest.fixture
def client(stores: None) -> TestClient:
    return owner()


def test_a_tenant_is_set_paused_and_resumed(client: TestClient) -> None:
    told = client.patch(at(), json={"sends_per_hour": 9, "name": None}).json()
    assert (told["sends_per_hour"], told["name"]) == (9, None)
    assert told["postal_address"] == "1 Main Street"
    assert wrong(client.patch(at(), json={"sends_per_hour": -1})) == ["sends_per_hour"]
    paused = client.post(at("/pause"), json={"reason": "holidays"}).json()
    assert (paused["outreach_paused"], paused["paused_reason"]) == (True, "holidays")
    assert paused["paused_by"].startswith("token:")
    assert client.post(at("/resume")).json()["outreach_paused"] is False
    assert client.get(at(tenant="acne")).status_code == 404
    assert client.patch(at(tenant="acne"), json={"name": "Acne"}).status_code == 200
    assert client.get(at(tenant="acne")).json()["name"] == "Acne"
    acts = list(collection(AuditLog).find({"origin": "api"}).sort("at", 1))
    assert [row["action"] for row in acts if row["outcome"] == "done"] == [
        *["outreach_tenant.set", "outreach_tenant.pause", "outreach_tenant.resume"],
        "outreach_tenant.set",
    ]


def test_a_sender_keeps_its_secrets_and_is_verified(
    client: TestClient, sandbox: SandboxClient
) -> None:
    wanted = {"name": "Sales", "provider": "sendgrid", "address": f"sales@{EMAIL_DOMAIN}"}
    secret = {"credentials": {"api_key": "SG.very-secret"}}
    assert wrong(client.post(at("/senders"), json=wanted | {"credentials": {"url": "x"}})) == [
        "credentials"
    ]
    made = client.post(at("/senders"), json=wanted | secret)
    assert made.status_code == 201, made.text
    assert made.json()["has_credentials"]
    assert "very-secret" not in made.text + client.get(at("/senders")).text
    path = at(f"/senders/{made.json()['id']}")
    assert made.headers["location"].endswith(path)
    assert client.post(f"{path}/verify").json()["status"] == "failing"
    own = client.patch(path, json={"credentials": None, "limits": {"per_hour": 5}}).json()
    assert (own["has_credentials"], own["status"], own["limits"]["per_hour"]) == (
        *(False, "unverified", 5),
    )
    verified = client.post(f"{path}/verify").json()
    assert (verified["status"], verified["may_send"]) == ("verified", True), verified
    assert {use["name"]: use["limit"] for use in verified["uses"]}["sender_hour"] == 5
    assert not client.post(f"{path}/pause").json()["may_send"]
    assert client.post(f"{path}/resume").json()["may_send"]
    disabled = client.post(f"{path}/disable", json={"reason": "sold"}).json()
    assert (disabled["status"], disabled["status_reason"]) == ("disabled", "sold")
    assert client.post(f"{path}/enable").json()["status"] == "unverified"
    assert wrong(client.post(at("/senders"), json=wanted)) == ["address"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert collection(SenderIdentity).count_documents({}) == 0


def test_contacts_are_masked_changed_found_and_forgotten(client: TestClient) -> None:
    made = client.post(at("/contacts"), json=ADA).json()
    assert (made["email"], made["fields"]) == ("ada@shop.example", {"n": 7})
    path, plain = at(f"/contacts/{made['id']}"), caller(READS)
    masked = plain.get(path).json()
    assert (masked["email"], masked["first_name"]) == ("a…@shop.example", "A…")
    assert (masked["company"], masked["fields"]) == (None, {"n": None})
    assert wrong(client.post(at("/contacts"), json=ADA)) == ["email"]
    assert wrong(client.post(at("/contacts"), json={"first_name": "Bob"})) == ["email"]
    assert wrong(client.patch(path, json={"phone": "030 1234"})) == ["phone"]
    assert wrong(client.patch(path, json={"fields": {"Not So": "x"}})) == ["fields.Not So"]
    for value in ("x" * 501, "\ud800", 10**30, True, ["x"]):
        text = json.dumps({"fields": {"m": value}})
        as_json = {"Content-Type": "application/json"}
        refused = client.patch(path, content=text, headers=as_json)
        assert wrong(refused) == ["fields.m"], value
    changed = client.patch(path, json={"fields": {"n": None, "m": "x"}, "company": None}).json()
    assert (changed["fields"], changed["company"]) == ({"m": "x"}, None)
    # A beginning would let somebody find out an address letter by letter.
    for who, search, count in (
        *[(client, "ada@", 1), (client, "bob@", 0)],
        *[(plain, "ada@", 0), (plain, "ada@shop.example", 1)],
    ):
        found = who.get(at("/contacts"), params={"search": search}).json()["contacts"]
        assert len(found) == count, search
    assert client.post(f"{path}/forget").json()["before"] is False
    assert client.get(path).json()["email"] is None
    assert client.patch(path, json={"company": "x"}).status_code == 409


def test_a_file_of_contacts_is_imported_with_a_report_by_row(client: TestClient) -> None:
    head = "E-Mail privat,first_name,Plan,Notes\n"
    text = head + "ada@x.example,Ada,gold,hm\nnobody,Bob,,\nada@x.example,Again,,\n"
    columns = ["E-Mail privat=email", "Notes="]
    csv = {"Content-Type": "text/csv; charset=utf-8"}
    query = {"file_name": "people.csv", "column": columns}
    answer = client.post(at("/contact-imports"), params=query, content=text.encode(), headers=csv)
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert (report["status"], report["rows"], report["created"], report["rejected"]) == (
        *("done", 3, 1, 2),
    )
    assert [(one["row"], one["field"]) for one in report["problems"]] == [
        (3, "email"),
        (4, "email"),
    ]
    path = at(f"/contact-imports/{report['id']}")
    first = client.get(path, params={"limit": 1}).json()
    rest = client.get(path, params={"limit": 1, "cursor": first["next"]}).json()
    assert [one["row"] for one in first["problems"] + rest["problems"]] == [3, 4]
    assert rest["next"] is None
    listed = client.get(at("/contact-imports")).json()["imports"]
    assert [one["file_name"] for one in listed] == ["people.csv"]
    mine = client.get(at("/contacts"), params={"import_id": report["id"]}).json()["contacts"]
    assert [one["fields"] for one in mine] == [{"plan": "gold"}]

    def refused(content: bytes, **more: Any) -> Any:
        return client.post(at("/contact-imports"), content=content, headers=csv, **more)

    assert wrong(refused(b"a,b\n1,2\n")) == ["file"]
    assert wrong(refused(b"\xff\xfea")) == ["file"]
    assert wrong(refused(b"email\n", params={"column": "email"})) == ["column"]
    assert refused(b"x" * (10 * 2**20 + 1)).status_code == 413
    assert client.post(at("/contact-imports"), json={}).status_code == 415
    assert client.post(at("/contacts"), content=b"a", headers=csv).status_code == 415


@pytest.fixture
def under_way(client: TestClient) -> str:
    """A campaign of two contacts, of whom the first was sent a message and has opened it."""
    people = rows.contacts(2)
    node = rows.send("first", rows.on("opened", "later"), rows.on("no_open", "stop", after="P1D"))
    wait = rows.wait("later", rows.on("no_click", "stop", after="P2D"))
    campaign_id = rows.campaign(rows.plan(node, wait), people)
    message_id = rows.sent(campaign_id, people[0])
    rows.happened(message_id, "opened")
    changes = {"to_address": "contact-0@example.com", "subject": "Hello Grace"}
    changes |= {"opened_at": rows.now()}
    collection(OutboundMessage).update_one({"_id": message_id}, {"$set": changes})
    return campaign_id


def test_enrollments_messages_and_the_schedule_tell_what_happens(
    client: TestClient, under_way: str
) -> None:
    listed = list(pages(client, "/enrollments", "enrollments", campaign_id=under_way))
    assert listed == [f"{under_way}:contact-0", f"{under_way}:contact-1"]
    assert sorted(pages(client, "/enrollments", "enrollments", status="active")) == listed
    one = client.get(at(f"/enrollments/{listed[0]}")).json()
    assert (one["node_id"], one["who"]) == ("later", "contact-0@example.com")
    kinds = [moment["kind"] for moment in one["timeline"]]
    assert kinds[-1] == "scheduled", one["timeline"]
    assert {"message", "transition"} <= set(kinds)
    actions = client.get(at("/scheduled-actions")).json()["actions"]
    assert [(a["kind"], a["who"]) for a in actions] == [
        *[("send", "contact-1@example.com"), ("timeout", "contact-0@example.com")],
    ]
    assert len(list(pages(client, "/scheduled-actions", "actions"))) == 2
    [message_id] = pages(client, "/messages", "messages", outcome="opened")
    message = client.get(at(f"/messages/{message_id}")).json()
    assert (message["to"], message["outcomes"]) == ("contact-0@example.com", ["opened"])
    assert [event["type"] for event in message["events"]] == ["opened"]
    assert (
        client.post(at(f"/messages/{message_id}/resolve"), json={"sent": True}).status_code == 409
    )
    stats = client.get(at(f"/campaigns/{under_way}/stats"), params={"days": 2}).json()
    rate = stats["nodes"]["first"]["outcomes"]["opened"]
    assert (rate["count"], rate["of"], rate["rate"]) == (1, 1, 1.0)
    assert 0 < rate["low"] < rate["high"] <= 1
    assert [day["opened"] for day in stats["days"]] == [0, 1]
    path = at(f"/enrollments/{listed[1]}")
    assert client.post(f"{path}/pause", json={"reason": "asked"}).json()["status"] == "paused"
    assert client.post(f"{path}/resume").json()["status"] == "active"
    assert client.post(f"{path}/stop").json()["status"] == "stopped"
    assert client.post(f"{path}/pause").status_code == 409


def test_nothing_names_anybody_without_the_scope_to_reveal(
    client: TestClient, under_way: str
) -> None:
    wanted = {"channel": "email", "address": "contact-9@example.com", "note": "asked"}
    client.post(at("/suppressions"), json=wanted)
    plain = caller(READS)
    [message_id] = pages(plain, "/messages", "messages")
    for path in (
        *("/senders", "/contacts", "/contacts/contact-0", "/enrollments", "/scheduled-actions"),
        *(f"/enrollments/{under_way}:contact-0", "/messages", f"/messages/{message_id}"),
        *("/suppressions", f"/campaigns/{under_way}"),
    ):
        answer = plain.get(at(path))
        assert answer.status_code == 200, path
        for name in ("contact-0@", "contact-1@", "contact-9@", "sender-1@", "Grace"):
            assert name not in answer.text.replace("Hello {{", ""), (path, name)


def test_addresses_are_suppressed_and_lifted(client: TestClient) -> None:
    wanted = {"channel": "sms", "address": "+49 30 901820", "note": "asked by phone"}
    made = client.post(at("/suppressions"), json=wanted)
    assert made.status_code == 201, made.text
    row = made.json()
    assert (row["reason"], row["reasons"], row["note"]) == ("manual", ["manual"], "asked by phone")
    assert row["source"] == "api"
    assert wrong(client.post(at("/suppressions"), json=wanted | {"channel": "email"})) == [
        "address"
    ]
    found = client.get(at("/suppressions"), params={"address": "+4930901820"}).json()
    assert [one["id"] for one in found["suppressions"]] == [row["id"]]
    assert client.get(at("/suppressions"), params={"cursor": "nowhere"}).status_code == 422
    path = at(f"/suppressions/{row['id']}")
    assert client.get(path).json() == row
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404


def test_a_token_sees_its_tenant_alone_and_does_what_it_may(
    client: TestClient, under_way: str
) -> None:
    collection(Tenant).insert_one(
        {"_id": "other", "created_at": rows.now(), "updated_at": rows.now()}
    )
    other, enrollment = caller(tenant_id="other"), f"/enrollments/{under_way}:contact-0"
    ones = ("/contacts/contact-0", "/senders/sender-1", f"/campaigns/{under_way}", enrollment)
    for path in ("", *ones, "/contacts", "/deliveries"):
        assert other.get(at(path)).status_code == 404, path
    for path in ones:
        assert other.get(at(path, "other")).status_code == 404, path
    assert other.post(at(f"{enrollment}/stop", "other")).status_code == 404
    assert other.post(at(f"/campaigns/{under_way}/stop", "other")).status_code == 404
    assert other.get(at("/enrollments", "other")).json()["enrollments"] == []
    reader = caller(READS, tenant_id="acme")
    assert reader.get(at(f"/campaigns/{under_way}")).status_code == 200
    assert reader.post(at(f"/campaigns/{under_way}/stop")).status_code == 403
    assert caller("users:read").get(at("/contacts")).status_code == 403


def test_deliveries_tell_a_tenant_nothing_of_others(client: TestClient) -> None:
    now = rows.now()
    common = {"provider": "sendgrid", "kind": "events", "raw": b"[]", "received_at": now}
    common |= {"status": "partial", "counts": {"applied": 3}, "problems": ["[0].sg: is none"]}
    owners = {"mine": ["acme"], "both": ["acme", "other"], "others": ["other"], "nobodys": []}
    collection(OutreachDelivery).insert_many(
        [
            common | {"_id": name, "tenant_ids": ids, "attempts": 1, "expires_at": now}
            for name, ids in owners.items()
        ]
    )
    bound = caller(READS, tenant_id="acme")
    assert set(pages(bound, "/deliveries", "deliveries", status="partial")) == {"mine", "both"}
    assert bound.get(at("/deliveries/mine")).json()["counts"] == {"applied": 3}
    assert bound.get(at("/deliveries/both")).json()["counts"] is None
    assert bound.get(at("/deliveries/others")).status_code == 404
    assert bound.get(at("/deliveries"), params={"everybody": True}).status_code == 403
    every = client.get(at("/deliveries"), params={"everybody": True}).json()["deliveries"]
    assert {one["id"] for one in every} == set(owners)


def test_an_unknown_message_is_settled_by_a_person(
    client: TestClient, sandbox: SandboxClient
) -> None:
    case = Case("smtp")
    sandbox.fault("drop", match={"api": "smtp", "method": "data"}, params={"when": "after"})
    case.send()
    [message_id] = pages(client, "/messages", "messages", state="unknown")
    assert wrong(client.post(at(f"/messages/{message_id}/resolve"), json={"sent": "yes"})) == [
        "sent"
    ]
    settled = client.post(at(f"/messages/{message_id}/resolve"), json={"sent": True}).json()
    assert settled["state"] == "sent"
    assert "has said that it was sent" in settled["reconciliation"]


def test_the_document_says_what_every_operation_and_field_is(stores: None) -> None:
    document = caller().get("openapi.json").json()
    schemas = document["components"]["schemas"]
    ours = {path: one for path, one in document["paths"].items() if "/outreach" in path}
    assert len(ours) >= 40
    for operation in (one for path in ours.values() for one in path.values()):
        assert operation["description"]
        assert all(one["description"] for one in operation.get("parameters", ()))
    named, seen = set(_references(ours)), set()
    while named - seen:
        [name, *_] = named - seen
        seen.add(name)
        named |= set(_references(schemas[name]))
    for name in seen - {"Problem"}:
        for field, told in schemas[name].get("properties", {}).items():
            assert told.get("description"), (name, field)


def _references(part: Any) -> Iterator[str]:
    """Yield the names of the schemas that a part of the document refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _references(inner)
