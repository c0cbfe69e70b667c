"""The pages of a mailbox: what is told to whom, what can be done, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from browsers import signed_in
from mailbox_rows import NEWS, SUBJECT, Seeded, seed
from starlette.testclient import TestClient

from models import AuditLog, Mailbox, Notification, Pattern, Rule, User
from pipeline.jobs.reading import page as jobs
from pipeline.stores import collection

HX = {"HX-Request": "true"}
#: What of a user's mail nobody sees who does not ask for it.
PERSONAL = (NEWS, SUBJECT, "win@spam.example", "You have won", "boss@contoso", "receipts@shop")


@pytest.fixture
def box(stores: None) -> Seeded:
    """A mailbox that was watched for some weeks."""
    return seed(mails=6)


def post(client: TestClient, url: str, status: int = 204, **data: Any) -> str:
    """Post, and return what the answer says: a notice, what is wrong with a field, or HTML."""
    answer = client.post(url, data=data, headers=HX)
    assert answer.status_code == status, answer.text
    if "HX-Redirect" in answer.headers:  # it is told on the page that follows
        return str(client.get(answer.headers["HX-Redirect"]).text)
    if "HX-Trigger" not in answer.headers:
        return str(answer.text)
    told = json.loads(answer.headers["HX-Trigger"])
    if "field" in told:
        return f"{told['field']['name']} | {told['field']['text']}"
    return str(told["notice"]["text"])


def pages_of(box: Seeded) -> list[str]:
    ends = ("", "/events", "/patterns", "/rules", "/staged", "/audit", "/notifications")
    single = (f"/patterns/{box.patterns['delete']}", f"/rules/{box.rules['receipts']}")
    return [
        "/admin/mailboxes",
        "/admin/mail-policies/acme",
        *(box.url + end for end in (*ends, "/settings", *single)),
    ]


def row(model: Any, row_id: str) -> dict[str, Any]:
    from bson import ObjectId

    key = ObjectId(row_id) if ObjectId.is_valid(row_id) else row_id
    found = collection(model).find_one({"_id": key})
    assert found is not None
    return found


def test_every_page_masks_senders_leaves_out_subjects_and_offers_a_viewer_nothing(
    box: Seeded,
) -> None:
    for role in ("viewer", "operator"):
        client = signed_in(role)
        for url in pages_of(box):
            text = client.get(url).text
            assert not [one for one in PERSONAL if one in text], url
            assert "o…@news.example" in text or "/patterns" not in url.removeprefix(box.url)
            if role == "viewer":
                assert 'hx-post="/admin/mail' not in text, url
    assert signed_in("viewer").get(f"{box.url}/rules/new").status_code == 403


def test_the_list_is_searched_and_narrowed_down(box: Seeded) -> None:
    seed("bob", "other", mails=0)
    collection(Mailbox).update_one({"_id": "mbx-bob"}, {"$set": {"is_connected": False}})
    collection(Pattern).delete_many({"mailbox_id": "mbx-bob"})
    client = signed_in("viewer")

    def shown(query: str) -> list[str]:
        rows = client.get(f"/admin/mailboxes{query}").text.split('<tr id="row-')[1:]
        return [one.partition('"')[0] for one in rows]

    assert shown("") == ["mbx-ada", "mbx-bob"]
    assert shown("?q=bo") == shown("?q=BOB@contoso.example") == ["mbx-bob"]
    assert shown("?tenant=acme") == shown("?show=suggested") == ["mbx-ada"]
    assert shown("?show=disconnected") == shown("?after=mbx-ada") == ["mbx-bob"]
    assert shown("?show=paused") == []
    collection(User).update_one({"_id": "bob"}, {"$set": {"preferences.automation_paused": True}})
    assert shown("?show=paused") == ["mbx-bob"]
    for query in ("?show=happy", "?after=nobody"):
        assert client.get(f"/admin/mailboxes{query}").status_code == 404


def test_events_tell_from_where_to_where_how_soon_and_by_which_rule(box: Seeded) -> None:
    from models import EmailEvent

    collection(EmailEvent).update_one(
        {"event_type": "moved"},
        {"$set": {"metadata.automated_by_rule": box.rules["move"]}},
    )
    client = signed_in("viewer")
    text = client.get(f"{box.url}/events?type=moved").text
    assert "Invoices / Energy" in text
    assert "after 3 min" in text
    assert "by rule Rule for move" in text
    assert "its user" in text
    assert "deleted</span>" not in client.get(f"{box.url}/events?domain=shop.example").text
    assert client.get(f"{box.url}/events?message=AAMk-ada-0-1").text.count("data-row=") == 2
    assert client.get(f"{box.url}/events?type=eaten").status_code == 404
    assert client.get(f"{box.url}/events?before=x").status_code == 404


def test_personal_data_is_shown_once_to_an_operator_and_the_audit_says_so(box: Seeded) -> None:
    client = signed_in("operator")
    shown = post(client, f"{box.url}/events/reveal", 200, type="deleted")
    assert NEWS in shown
    assert SUBJECT in shown
    assert "the-operator" in shown
    pattern = f"{box.url}/patterns/{box.patterns['delete']}"
    assert f"Mail of {NEWS}" in post(client, f"{pattern}/reveal", 200)
    assert "You have won" in post(client, f"{box.url}/staged/reveal", 200, show="staged")
    assert "boss@contoso" in post(client, f"{box.url}/settings/whitelist", 200)
    assert "receipts@shop" in post(client, f"{box.url}/rules/{box.rules['receipts']}/edit", 200)
    acts = collection(AuditLog).distinct("action")
    assert {"mailbox.reveal_events", "pattern.reveal", "rule.edit"} <= set(acts)
    refused = signed_in("viewer").post(f"{box.url}/events/reveal", headers=HX)
    assert refused.status_code == 403


def test_a_pattern_is_looked_at_simulated_and_approved(box: Seeded) -> None:
    client = signed_in("operator")
    url = f"{box.url}/patterns/{box.patterns['move']}"
    text = client.get(f"{url}?days=30").text
    assert "it would have met <strong>6 mails</strong>" in text
    assert "Move to Invoices / Energy" in text
    assert client.get(f"{url}?days=7").status_code == 404
    assert "its rule acts" in post(client, f"{url}/approve")
    rule = collection(Rule).find_one({"source_pattern_id": box.patterns["move"]})
    assert rule is not None
    assert rule["actions"][0]["to_folder"] == "fld-energy"
    assert "Take back" in client.get(url).text
    assert "suggestion again" in post(client, f"{url}/unapprove")
    assert collection(Rule).count_documents({"source_pattern_id": box.patterns["move"]}) == 0


def test_another_action_is_refused_beside_its_field_or_approved(box: Seeded) -> None:
    client = signed_in("operator")
    url = f"{box.url}/patterns/{box.patterns['delete']}/customize"
    said = post(client, url, 400, action_type="move", to_folder="nowhere")
    assert said.startswith("to_folder | ")
    post(client, url, action_type="move", to_folder="fld-archive")
    assert row(Pattern, box.patterns["delete"])["status"] == "approved"


def test_several_patterns_are_decided_at_once_and_one_is_never_suggested_again(
    box: Seeded,
) -> None:
    client = signed_in("operator")
    both = [box.patterns["delete"], box.patterns["move"]]
    assert post(client, f"{box.url}/patterns/approve", id=both) == "Approved: 2."
    assert "Rejected: 1. Left" in post(client, f"{box.url}/patterns/reject", id=[both[0], "0" * 24])
    assert post(client, f"{box.url}/patterns/reject", 409) == "Nothing is selected."
    url = f"{box.url}/patterns/{box.patterns['read']}/suppress"
    assert "whitelist" in post(client, url, whom="domain")
    settings = row(Mailbox, box.mailbox_id)["settings"]
    assert "shop.example" in settings["whitelisted_domains"]


def test_rules_are_made_ordered_switched_and_deleted(box: Seeded) -> None:
    client = signed_in("operator")
    fields = {"name": "News", "conditions.sender_email": f" {NEWS.upper()} ", "actions": "delete"}
    post(client, f"{box.url}/rules", **fields)
    rule = collection(Rule).find_one({"name": "News"})
    assert rule is not None
    assert rule["conditions"]["sender_email"] == [NEWS]
    url = f"{box.url}/rules/{rule['_id']}"
    assert post(client, f"{url}/move", to="up") == "It is number 3 now."
    assert "further" in post(client, f"{box.url}/rules/{box.rules['receipts']}/move", 409, to="up")
    assert post(client, f"{url}/toggle", enabled="0") == "The rule is off."
    changes = {"name": "Old news", "actions": "archive", "actions.mark_read": "1"}
    changes |= {"conditions.sender_domain": "news.example"}
    version = str(row(Rule, str(rule["_id"]))["version"])
    post(client, url, version=version, **changes)
    assert "changed meanwhile" in post(client, url, 400, version=version, **changes)
    changed = row(Rule, str(rule["_id"]))
    assert changed["name"] == "Old news"
    assert [one["action_type"] for one in changed["actions"]] == ["archive", "mark_read"]
    post(client, f"{url}/delete")
    assert client.get(url).status_code == 404
    acts = set(collection(AuditLog).distinct("action"))
    assert {"rule.create", "rule.move", "rule.toggle", "rule.update", "rule.delete"} <= acts


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "", "actions": "delete", "conditions.sender_domain": "a.example"}, "name"),
        ({"name": "x", "actions": "delete"}, "conditions"),
        ({"name": "x", "conditions.sender_domain": "a.example"}, "actions"),
        (
            {"name": "x", "conditions.sender_domain": "a.example", "actions": "move",
             "actions.to_folder": "nowhere"},
            "actions.to_folder",
        ),
        (
            {"name": "x", "conditions.sender_domain": "a.example", "actions": "",
             "actions.forward_to": "ada@contoso.example"},
            "actions.forward_to",
        ),
    ],
)  # fmt: skip
def test_what_a_rule_cannot_be_is_said_beside_its_field(
    box: Seeded, fields: dict[str, str], field: str
) -> None:
    said = post(signed_in("operator"), f"{box.url}/rules", 400, **fields)
    assert said.partition(" | ")[0].startswith(field), said
    assert collection(Rule).count_documents({"user_id": "ada"}) == 3


def test_a_rule_that_is_not_there_yet_is_simulated(box: Seeded) -> None:
    client = signed_in("operator")
    url = f"{box.url}/rules/simulate"
    text = post(client, url, 200, **{"conditions.sender_domain": "news.example"})
    assert "met <strong>6 mails</strong>" in text
    assert post(client, url, 400).partition(" | ")[0] == "conditions"
    assert client.get(f"{box.url}/rules/new").status_code == 200


def test_settings_have_their_ranges(box: Seeded) -> None:
    client = signed_in("operator")
    url = f"{box.url}/settings"
    numbers = {
        "threshold_delete": "99", "threshold_move": "85", "threshold_mark_read": "80",
        "observation_window_days": "60", "rejection_cooldown_days": "30", "min_sender_events": "5",
    }  # fmt: skip
    post(client, f"{url}/patterns", **numbers)
    assert row(User, "ada")["pattern_settings"]["threshold_delete"] == 99
    said = post(client, f"{url}/patterns", 400, **numbers | {"threshold_move": "49"})
    assert said.startswith("threshold_move | ")
    assert "50 to 100" in said
    hours = {"working_hours_start": "8", "working_hours_end": "24", "time_zone": ""}
    assert post(client, f"{url}/user", 400, **hours).startswith("working_hours_end | ")
    post(client, f"{url}/mailbox", automation_paused="1")
    assert row(Mailbox, box.mailbox_id)["settings"]["automation_paused"] is True
    assert "Automation is paused" in client.get(box.url).text
    assert post(client, f"{box.url}/pause", 409) == "Automation is paused already."
    assert "act again" in post(client, f"{box.url}/resume")
    post(client, f"{url}/whitelist/save", whitelisted_senders="A@x.example\nb@x.example")
    assert row(Mailbox, box.mailbox_id)["settings"]["whitelisted_senders"] == [
        "a@x.example",
        "b@x.example",
    ]
    post(client, f"{url}/signatures", name="New", content="x", is_default="1")
    post(client, f"{url}/signatures/s1/remove")
    signatures = row(Mailbox, box.mailbox_id)["settings"]["signatures"]
    assert [(one["name"], one["is_default"]) for one in signatures] == [
        ("Short", False),
        ("New", True),
    ]


def test_the_rules_of_a_tenant_are_made_and_ordered_and_know_no_folder(box: Seeded) -> None:
    client = signed_in("operator")
    url = "/admin/mail-policies/acme"
    for name in ("One", "Two"):
        fields = {"name": name, "conditions.sender_domain": f"{name}.example", "actions": "delete"}
        post(client, f"{url}/rules", **fields)
    moved = {"name": "x", "conditions.sender_domain": "a.example", "actions": "move"}
    refused = moved | {"actions.to_folder": "fld-inbox"}
    assert "|" in post(client, f"{url}/rules", 400, **refused)
    two = collection(Rule).find_one({"name": "Two"})
    assert two is not None
    rule = f"{url}/rules/{two['_id']}"
    assert post(client, f"{rule}/move", to="up") == "It is number 1 now."
    assert post(client, f"{rule}/toggle", enabled="0") == "The rule is off."
    assert 'value="two.example"' in post(client, f"{rule}/edit", 200)
    assert "from the domain one.example" in client.get(f"{box.url}/rules").text
    post(client, f"{rule}/delete")
    post(client, f"{url}/whitelist/save", whitelisted_domains="bank.example")
    assert "bank.example" in client.get(url).text
    assert client.get("/admin/mail-policies/nobody").status_code == 404


def test_jobs_are_asked_for_and_only_for_a_mailbox_that_is_connected(box: Seeded) -> None:
    client = signed_in("operator")
    assert "being analyzed" in post(client, f"{box.url}/analyze")
    assert "waits or runs" in post(client, f"{box.url}/analyze")
    assert "looked at now" in post(client, f"{box.url}/sync")
    assert len(jobs("pattern-analysis", None, limit=9).jobs) == 1
    collection(Mailbox).update_one({"_id": box.mailbox_id}, {"$set": {"is_connected": False}})
    assert "connect it again" in post(client, f"{box.url}/analyze", 409)
    assert "It is not connected" in client.get(box.url).text


def test_notifications_are_marked_as_read(box: Seeded) -> None:
    client = signed_in("operator")
    unread = collection(Notification).find_one({"is_read": False})
    assert unread is not None
    url = f"{box.url}/notifications"
    assert post(client, f"{url}/{unread['_id']}/read") == "Marked as read."
    assert "read already" in post(client, f"{url}/{unread['_id']}/read", 409)
    assert post(client, f"{url}/read") == "Marked as read: 1."
    assert "Everything is read" in client.get(f"{url}?show=unread").text


def test_what_cannot_be_undone_any_more_offers_no_undo(box: Seeded) -> None:
    from models import MailAudit

    client = signed_in("operator")
    text = client.get(f"{box.url}/audit").text
    assert text.count("/undo") == 2
    assert "move taken back: the mail is gone" in text
    old = datetime(2026, 1, 1, tzinfo=UTC)
    collection(MailAudit).update_many({}, {"$set": {"created_at": old}})
    assert "/undo" not in client.get(f"{box.url}/audit").text
    url = f"{box.url}/audit/{box.audit['done']}/undo"
    assert "cannot be undone" in post(client, url, 400)


def test_settings_are_set_without_scripts_too(box: Seeded) -> None:
    client = signed_in("operator")
    page = client.get(f"{box.url}/settings").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    del client.headers["X-CSRF-Token"]
    fields = {"csrf_token": token, "automation_paused": "1"}
    answer = client.post(f"{box.url}/settings/mailbox", data=fields)
    assert answer.status_code == 303
    assert row(Mailbox, box.mailbox_id)["settings"]["automation_paused"] is True
    assert "The mailbox is set." in client.get(answer.headers["location"]).text
