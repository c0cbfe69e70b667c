"""Mailboxes by the API: masked unless revealed, of a tenant alone, and refusals by their field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_client import caller
from mailbox_rows import NEWS, SUBJECT, Seeded, seed
from starlette.testclient import TestClient

from models import AuditLog, StagedEmail
from pipeline.jobs.reading import page as jobs
from pipeline.stores import collection

READS, WRITES = "mailboxes:read", "mailboxes:write"


@pytest.fixture
def box(stores: None) -> Seeded:
    """A mailbox that was watched for some weeks."""
    return seed(mails=4)


@pytest.fixture
def client(box: Seeded) -> TestClient:
    """A client that may do all."""
    return caller()


def at(box: Seeded, end: str = "") -> str:
    return f"mailboxes/{box.mailbox_id}{end}"


def wrong(answer: Any) -> list[str]:
    """Return which fields a refusal is about."""
    assert answer.status_code == 422, answer.text
    return [one["field"] for one in answer.json()["errors"]]


def test_senders_are_masked_and_subjects_left_out_without_the_scope_to_reveal(box: Seeded) -> None:
    ends = ("", "/events", "/patterns", "/rules", "/staged", "/audit")
    plain, full = caller(READS), caller(READS, "mailboxes:reveal")
    for end in ends:
        text = plain.get(at(box, end)).text
        for one in (NEWS, SUBJECT, "win@spam", "You have won", "boss@", "receipts@", "ada@"):
            assert one not in text, end
    event = plain.get(at(box, "/events"), params={"domain": "news.example"}).json()["events"][0]
    assert event["sender"] == {"email": "o…@news.example", "name": None, "domain": "news.example"}
    event = full.get(at(box, "/events"), params={"domain": "news.example"}).json()["events"][0]
    assert (event["sender"]["email"], event["subject"]) == (NEWS, SUBJECT)
    assert full.get(at(box, "/staged")).json()["staged"][0]["subject"] == "You have won"


def test_a_token_without_the_scope_and_one_of_another_tenant_get_nothing(box: Seeded) -> None:
    assert caller("users:read").get(at(box)).status_code == 403
    assert caller(READS).post(at(box, "/analyses")).status_code == 403
    other = caller(READS, WRITES, tenant_id="other")
    for end in ("", "/events", "/patterns", f"/rules/{box.rules['delete']}", "/audit"):
        assert other.get(at(box, end)).status_code == 404
    assert other.get("mailboxes").json()["mailboxes"] == []
    assert other.get("tenants/acme/mail-rules").status_code == 404
    assert other.get("users/ada/notifications").status_code == 404


def test_lists_come_in_pages(box: Seeded, client: TestClient) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(at(box, "/events"), params={"limit": 10, **cursor}).json()
        seen += [one["id"] for one in answer["events"]]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    assert len(seen) == len(set(seen)) == 24
    first = client.get(at(box, "/patterns"), params={"limit": 1}).json()
    assert first["patterns"][0]["confidence"] == 98.4
    rest = client.get(at(box, "/patterns"), params={"cursor": first["next"]}).json()
    assert [one["confidence"] for one in rest["patterns"]] == [91.2]
    seed("bob", mails=0)
    listed = client.get("mailboxes", params={"limit": 1}).json()
    assert client.get("mailboxes", params={"cursor": listed["next"]}).json()["next"] is None
    entries = client.get(at(box, "/audit"), params={"limit": 2}).json()
    assert len(client.get(at(box, "/audit"), params={"cursor": entries["next"]}).json()["entries"])


def test_staged_mail_comes_soonest_due_first_and_what_became_of_it_newest_first(
    box: Seeded, client: TestClient
) -> None:
    def listed(status: str) -> list[str]:
        """Return the ids of the list, a page for each."""
        found, cursor = [], {}
        while cursor is not None:
            query = {"status": status, "limit": 1, **cursor}
            answer = client.get(at(box, "/staged"), params=query).json()
            found += [one["id"] for one in answer["staged"]]
            cursor = {"cursor": answer["next"]} if answer["next"] else None
        return found

    rows, staged = collection(StagedEmail), {"status": {"$in": ["staged"]}}
    first, second, *_ = [row["_id"] for row in rows.find(staged).sort("_id", 1)]
    for hours, one in ((1, second), (2, first)):
        moment = datetime.now(UTC) - timedelta(days=9) + timedelta(hours=hours)
        rows.update_one({"_id": one}, {"$set": {"expires_at": moment, "staged_at": moment}})
    assert listed("staged")[:2] == [str(second), str(first)]
    rows.update_many(staged, {"$set": {"status": "rescued"}})
    mine = [one for one in listed("rescued") if one in (str(first), str(second))]
    assert mine == [str(first), str(second)]


def test_a_pattern_is_simulated_approved_customized_and_taken_back(
    box: Seeded, client: TestClient
) -> None:
    pattern = at(box, f"/patterns/{box.patterns['delete']}")
    simulation = client.get(f"{pattern}/simulation", params={"days": 30}).json()
    assert simulation["mails"] == sum(day["mails"] for day in simulation["daily"]) == 4
    approved = client.post(f"{pattern}/approve").json()
    rule = client.get(at(box, f"/rules/{approved['rule_id']}")).json()
    assert rule["actions"][0]["action_type"] == "delete"
    refused = client.post(f"{pattern}/customize", json={"action_type": "move"})
    assert wrong(refused) == ["to_folder"]
    client.post(f"{pattern}/customize", json={"action_type": "flag"})
    rule = client.get(at(box, f"/rules/{approved['rule_id']}")).json()
    assert [one["action_type"] for one in rule["actions"]] == ["flag"]
    assert client.post(f"{pattern}/unapprove").json()["status"] == "suggested"
    assert client.get(at(box, f"/rules/{approved['rule_id']}")).status_code == 404
    assert client.post(f"{pattern}/reject").json()["status"] == "rejected"
    assert client.post(f"{pattern}/approve").status_code == 409
    both = {"action": "approve", "ids": [box.patterns["move"], "0" * 24]}
    outcomes = client.post(at(box, "/pattern-decisions"), json=both).json()["outcomes"]
    assert [one["outcome"] for one in outcomes] == ["approved", "refused"]


def test_rules_are_made_ordered_changed_and_deleted(box: Seeded, client: TestClient) -> None:
    wanted = {
        "name": "News",
        "conditions": {"sender_email": [NEWS]},
        "actions": [{"action_type": "move", "to_folder": "fld-archive"}],
    }
    made = client.post(at(box, "/rules"), json=wanted)
    assert made.status_code == 201
    rule = made.json()
    order = client.put(at(box, "/rule-order"), json={"rule_ids": [rule["id"]]}).json()["rules"]
    assert order[0]["id"] == rule["id"]
    changed = client.patch(at(box, f"/rules/{rule['id']}"), json={"is_enabled": False}).json()
    assert changed["is_enabled"] is False
    assert changed["conditions"]["sender_email"] == [NEWS]
    found = client.post(at(box, "/rule-simulations"), json={"conditions": wanted["conditions"]})
    assert found.json()["mails"] == 4
    assert client.delete(at(box, f"/rules/{rule['id']}")).status_code == 204
    assert client.get(at(box, f"/rules/{rule['id']}")).status_code == 404
    acts = set(collection(AuditLog).distinct("action"))
    assert {"rule.create", "rule.move", "rule.update", "rule.delete"} <= acts


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conditions": {}}, "conditions"),
        ({"conditions": {"from_folder": "nowhere"}}, "conditions.from_folder"),
        ({"conditions": {"sender_email": ["no address"]}}, "conditions.sender_email"),
        ({"actions": []}, "actions"),
        ({"actions": [{"action_type": "move"}]}, "actions"),
        ({"actions": [{"action_type": "eat"}]}, "actions.0.action_type"),
        (
            {"actions": [{"action_type": "forward", "forward_to": ["ada@contoso.example"]}]},
            "actions.forward_to",
        ),
    ],
)
def test_a_refused_rule_names_the_field(
    box: Seeded, client: TestClient, changes: dict[str, Any], field: str
) -> None:
    wanted = {
        "name": "x",
        "conditions": {"sender_domain": "a.example"},
        "actions": [{"action_type": "delete"}],
    }
    [named] = wrong(client.post(at(box, "/rules"), json=wanted | changes))
    assert named.startswith(field), named


def test_settings_and_preferences_have_their_ranges(box: Seeded, client: TestClient) -> None:
    answer = client.patch(
        at(box, "/settings"),
        json={"whitelisted_senders": ["Boss@X.example"], "automation_paused": True},
    ).json()
    assert answer["automation"] == "paused by its settings"
    assert answer["settings"]["whitelisted_senders"] == ["boss@x.example"]
    assert len(answer["settings"]["signatures"]) == 2
    assert wrong(client.patch("users/ada/pattern-settings", json={"threshold_delete": 49})) == [
        "threshold_delete"
    ]
    settings = client.patch("users/ada/pattern-settings", json={"min_sender_events": 7}).json()
    assert (settings["min_sender_events"], settings["threshold_delete"]) == (7, 98)
    preferences = client.patch("users/ada/mail-preferences", json={"automation_paused": True})
    assert preferences.json()["working_hours_end"] == 17
    assert client.get(at(box)).json()["automation"] == "paused by its user"
    assert wrong(client.patch("users/ada/mail-preferences", json={"time_zone": "Mars/Olympus"}))
    assert client.get("users/ada/mail-preferences").json()["automation_paused"] is True


def test_a_tenant_has_rules_and_a_whitelist_of_its_own(box: Seeded, client: TestClient) -> None:
    wanted = {
        "name": "Phishing",
        "conditions": {"sender_domain": "evil.example"},
        "actions": [{"action_type": "delete"}],
    }
    rule = client.post("tenants/acme/mail-rules", json=wanted).json()
    assert rule["scope"] == "org"
    moved = wanted | {"actions": [{"action_type": "move", "to_folder": "fld-inbox"}]}
    assert wrong(client.post("tenants/acme/mail-rules", json=moved))
    off = client.patch(f"tenants/acme/mail-rules/{rule['id']}", json={"is_enabled": False})
    assert off.json()["is_enabled"] is False
    policy = {"whitelisted_domains": ["Bank.example"]}
    assert client.patch("tenants/acme/mail-policy", json=policy).json() == {
        "whitelisted_senders": [],
        "whitelisted_domains": ["bank.example"],
    }
    assert client.delete(f"tenants/acme/mail-rules/{rule['id']}").status_code == 204
    assert client.get("tenants/acme/mail-rules").json() == {"rules": []}
    assert client.get("tenants/nobody/mail-rules").status_code == 404


def test_an_analysis_is_queued_and_notifications_are_read(box: Seeded, client: TestClient) -> None:
    assert client.post(at(box, "/analyses")).json()["created"] is True
    assert client.post(at(box, "/analyses")).json()["created"] is False
    assert len(jobs("pattern-analysis", None, limit=9).jobs) == 1
    told = client.get("users/ada/notifications", params={"unread_only": True}).json()
    assert (len(told["notifications"]), told["unread"]) == (2, 2)
    ids = [told["notifications"][0]["id"]]
    assert client.post("users/ada/notifications/read", json={"ids": ids}).json() == {"marked": 1}
    assert client.post("users/ada/notifications/read").json() == {"marked": 1}


def test_what_came_of_an_undo_is_told_step_by_step(box: Seeded, client: TestClient) -> None:
    entries = {one["id"]: one for one in client.get(at(box, "/audit")).json()["entries"]}
    partial = entries[box.audit["partial"]]
    assert partial["may_undo"]
    assert [(one["action"], one["state"]) for one in partial["undo_results"]] == [
        ("mark_read", "done"),
        ("move", "failed"),
    ]
    assert not entries[box.audit["old"]]["may_undo"]
    undone = client.post(at(box, f"/audit/{box.audit['old']}/undo"))
    assert undone.status_code == 409
    assert client.get(at(box, "/audit"), params={"action": "eaten"}).status_code == 422
