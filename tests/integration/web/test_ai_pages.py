"""The AI pages: what was asked and took, why it failed, and nothing of what was said unasked."""

from __future__ import annotations

import secrets

import pytest
from browsers import signed_in

from models import AiRequest, AuditLog
from pipeline.platform import ai
from pipeline.stores import collection

HX = {"HX-Request": "true"}
TEXT = (
    "The invoice 4711 is due on Friday. Please pay it. If it is paid late, the bank charges a fee."
)


@pytest.fixture
def tenant(stores: None) -> str:
    """A tenant that no other test has."""
    return f"tenant-{secrets.token_hex(4)}"


@pytest.fixture
def request_id(tenant: str) -> str:
    """A request that is answered."""
    row = ai.ask(tenant, "generate-summary", content=TEXT, by="tester")
    ai.run(row["_id"])
    return str(row["_id"])


def failed(request_id: str) -> None:
    told = {"class": "Permanent", "message": "the model <declines>"}
    change = {"$set": {"status": "failed", "error": told}, "$unset": {"result": ""}}
    collection(AiRequest).update_one({"_id": request_id}, change)


def test_requests_are_listed_with_what_they_took_but_not_what_was_said(
    tenant: str, request_id: str
) -> None:
    text = signed_in("viewer").get("/admin/ai", params={"tenant": tenant}).text
    assert f"/admin/ai/{tenant}/{request_id}" in text
    assert "Today, UTC" in text
    assert "tokens a day" in text
    assert "invoice" not in text


def test_one_request_says_where_its_answer_is_from_and_shows_it_once_to_who_asks(
    tenant: str, request_id: str
) -> None:
    client, url = signed_in("operator"), f"/admin/ai/{tenant}/{request_id}"
    page = client.get(url).text
    assert "lexrank-1" in page
    assert "invoice" not in page
    shown = client.post(f"{url}/reveal", headers=HX)
    assert shown.status_code == 200, shown.text
    assert "invoice 4711" in shown.text
    [row] = collection(AuditLog).find({"action": "ai.reveal", "details.request": request_id})
    assert (row["actor"], row["outcome"]) == ("the-operator", "done")
    assert signed_in("viewer").post(f"{url}/reveal", headers=HX).status_code == 403


def test_what_has_failed_says_why_and_is_tried_again(tenant: str, request_id: str) -> None:
    failed(request_id)
    client, url = signed_in("operator"), f"/admin/ai/{tenant}/{request_id}"
    assert "the model &lt;declines&gt;" in client.get("/admin/ai", params={"tenant": tenant}).text
    assert "the model &lt;declines&gt;" in client.get(url).text
    assert client.post(f"{url}/retry", headers=HX).status_code < 300
    assert (ai.result(tenant, request_id) or {})["status"] == "queued"
    assert client.post(f"{url}/retry", headers=HX).status_code >= 400


@pytest.mark.parametrize(
    "end", ["?type=sing", "?status=sung", "?before=x", "/other/" + "0" * 32, "/x/y"]
)
def test_what_is_not_there_is_not_found(tenant: str, end: str) -> None:
    assert signed_in("viewer").get(f"/admin/ai{end}").status_code == 404


def test_lists_are_narrowed_and_empty_ones_say_what_to_do(tenant: str, request_id: str) -> None:
    client = signed_in("viewer")
    query = {"tenant": tenant, "status": "failed"}
    assert "No request is like that" in client.get("/admin/ai", params=query).text
    query["status"] = "done"
    assert request_id in client.get("/admin/ai", params=query).text
    empty = client.get("/admin/ai", params={"tenant": f"{tenant}-empty"}).text
    assert "Nothing was asked yet" in empty
