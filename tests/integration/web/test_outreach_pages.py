"""The pages about outreach: what is told to whom, what can be done, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browsers import signed_in
from job_pages import asked_anew
from outreach_seed import PLAN, SUBJECT, Seeded, seed
from starlette.testclient import TestClient

from models import (
    AuditLog,
    Campaign,
    Contact,
    Enrollment,
    OutboundMessage,
    OutreachDelivery,
    PlanVersion,
    SenderIdentity,
    Suppression,
    Tenant,
)
from pipeline.stores import collection

HX = {"HX-Request": "true"}


@pytest.fixture
def made(stores: None) -> Seeded:
    """A tenant with a campaign under way."""
    return seed()


def post(client: TestClient, url: str, status: int = 204, **sent: Any) -> str:
    """Post, and return what the answer says: a notice, what is wrong with a field, or HTML."""
    files = sent.pop("files", None)
    answer = client.post(url, data=sent, files=files, headers=HX)
    assert answer.status_code == status, answer.text or answer.headers
    if "HX-Redirect" in answer.headers:  # it is told on the page that follows
        return str(client.get(answer.headers["HX-Redirect"]).text)
    if "HX-Trigger" not in answer.headers:
        return str(answer.text)
    told = json.loads(answer.headers["HX-Trigger"])
    if "field" in told:
        return f"{told['field']['name']} | {told['field']['text']}"
    return str(told["notice"]["text"])


def row(model: Any, row_id: str) -> dict[str, Any]:
    found = collection(model).find_one({"_id": row_id})
    assert found is not None
    return found


def campaign_url(made: Seeded) -> str:
    return f"{made.url}/campaigns/{made.campaign_id}"


def pages_of(made: Seeded) -> list[str]:
    partial = collection(OutreachDelivery).find_one({"status": "partial"}) or {}
    lists = (
        *("", "/enrollments", "/scheduled", "/messages", "/senders", "/contacts"),
        *("/contacts/imports", "/suppressions", "/deliveries", "/settings"),
    )
    single = (
        f"/enrollments/{made.enrollments[1]}",
        f"/messages/{made.unknown}",
        f"/contacts/{made.contacts[0]}",
        f"/contacts/imports/i-{made.tenant_id}",
        f"/deliveries/{partial['_id']}",
        f"/campaigns/draft-{made.tenant_id}",
    )
    of_campaign = ("", "/plan", "/contacts", "/settings")
    return [
        "/admin/outreach",
        *(made.url + end for end in (*lists, *single)),
        *(campaign_url(made) + end for end in of_campaign),
    ]


def test_every_page_masks_who_is_written_to_and_offers_a_viewer_nothing(made: Seeded) -> None:
    for role in ("viewer", "operator"):
        client = signed_in(role)
        for url in pages_of(made):
            answer = client.get(url)
            assert answer.status_code == 200, url
            assert not [one for one in made.personal if one in answer.text], url
            if role == "viewer":
                assert 'hx-post="/admin/outreach' not in answer.text, url
    viewer = signed_in("viewer")
    assert viewer.get(f"{made.url}/senders/new").status_code == 403
    assert signed_in("operator").get(f"{made.url}/senders/new").status_code == 403
    assert "n…@…" in viewer.get(f"{made.url}/senders").text
    assert viewer.post(f"{made.url}/pause", headers=HX).status_code == 403


def test_nothing_of_another_tenant_is_found_or_changed(made: Seeded) -> None:
    other = seed("other", contacts=2)
    client = signed_in("admin")
    assert client.get("/admin/outreach/nobody").status_code == 404
    assert client.post("/admin/outreach/nobody/pause", headers=HX).status_code == 404
    for theirs in (
        f"/campaigns/{other.campaign_id}",
        f"/enrollments/{other.enrollments[0]}",
        f"/messages/{other.messages[0]}",
        f"/contacts/{other.contacts[0]}",
        f"/contacts/imports/i-{other.tenant_id}",
        f"/senders/{other.email_sender}/edit",
    ):
        assert client.get(made.url + theirs).status_code == 404, theirs
    for act in (
        f"/campaigns/{other.campaign_id}/pause",
        f"/enrollments/{other.enrollments[0]}/stop",
        f"/messages/{other.messages[0]}/sent",
        f"/contacts/{other.contacts[0]}/forget",
        f"/senders/{other.email_sender}/pause",
    ):
        post(client, made.url + act, 404)
    assert other.contacts[0] not in client.get(f"{made.url}/contacts").text
    assert row(Campaign, other.campaign_id)["status"] == "active"


def test_the_page_of_a_campaign_draws_its_plan_and_tells_what_came_of_each_step(
    made: Seeded,
) -> None:
    text = signed_in("viewer").get(campaign_url(made)).text
    assert 'class="plan-step is-wait"' in text
    assert "Step catalogue, e-mail, at once: 2 here now, 10 sent" in text
    assert "clicked within 7 d" in text
    assert "The plan as a table" in text
    assert "this sender is failing" in text
    assert "30.0%" in text
    assert "3, 10–61%" in text
    assert f"/enrollments?campaign={made.campaign_id}&amp;node=think" in text
    node = signed_in("viewer").get(f"{made.url}/enrollments?campaign={made.campaign_id}&node=think")
    assert node.text.count("data-row=") == 2


def test_lists_are_narrowed_down_and_unknown_addresses_of_pages_are_not_found(
    made: Seeded,
) -> None:
    client = signed_in("viewer")

    def shown(query: str) -> int:
        return client.get(made.url + query).text.count('<tr id="row-')

    assert shown("/enrollments?status=paused") == 2
    assert shown("/scheduled?kind=send") == 2
    assert shown(f"/scheduled?sender={made.sms_sender}") == 0
    assert shown("/messages?state=failed") == 1
    assert shown("/messages?to=ada.lovelace1@customer1.example") == 1
    assert shown("/contacts?q=ada.lovelace1") == 0  # or a viewer could find it out by letters
    assert shown("/contacts?q=Ada.Lovelace1@customer1.example") == 1
    assert shown("/suppressions?reason=bounced") == 1
    assert shown("/deliveries?status=partial") == 1
    client = signed_in("operator")
    assert shown("/contacts?q=ada.lovelace1") == 5
    for wrong in ("/enrollments?status=happy", "/messages?after=x", "/messages?outcome=eaten"):
        assert client.get(made.url + wrong).status_code == 404, wrong


def test_personal_data_is_shown_once_to_an_operator_and_the_audit_says_so(made: Seeded) -> None:
    client = signed_in("operator")
    address = "ada.lovelace1@customer1.example"
    for url in ("/enrollments/reveal", "/scheduled/reveal", "/contacts/reveal"):
        assert address in post(client, made.url + url, 200)
    assert SUBJECT in post(client, f"{made.url}/messages/reveal", 200, state="sent")
    assert SUBJECT in post(client, f"{made.url}/messages/{made.unknown}/reveal", 200)
    assert address in post(client, f"{made.url}/enrollments/{made.enrollments[1]}/reveal", 200)
    assert "blocked.person@" in post(client, f"{made.url}/suppressions/reveal", 200)
    assert "Lovelace" in post(client, f"{made.url}/contacts/{made.contacts[0]}/edit", 200)
    acts = set(collection(AuditLog).distinct("action"))
    assert {"outreach.reveal_messages", "outreach.reveal_contacts", "contact.edit"} <= acts
    viewer = signed_in("viewer")
    assert viewer.post(f"{made.url}/messages/reveal", headers=HX).status_code == 403


def test_a_campaign_is_made_given_a_plan_filled_and_deleted(made: Seeded) -> None:
    client = signed_in("operator")
    post(client, f"{made.url}/campaigns", name="Spring", description="New things")
    campaign = collection(Campaign).find_one({"name": "Spring"})
    assert campaign is not None
    url = f"{made.url}/campaigns/{campaign['_id']}"
    assert "publish" in client.get(url).text
    deep = post(client, f"{url}/plan/check", 400, plan="[" * 100_000)
    assert deep.startswith("plan | plan: this is no JSON")
    checked = post(client, f"{url}/plan/check", 200, plan=json.dumps(PLAN))
    assert "Nothing speaks against it" in checked
    assert 'class="plan-step' in checked
    post(client, f"{url}/plan/publish", plan=json.dumps(PLAN))
    assert row(PlanVersion, f"{campaign['_id']}:1")["created_by"] == "the-operator"
    senders = {"email_sender_id": made.email_sender, "sms_sender_id": ""}
    post(client, f"{url}/settings/save", name="Spring!", description="", **senders)
    assert row(Campaign, campaign["_id"])["email_sender_id"] == made.email_sender
    assert "Added: 14" in post(client, f"{url}/contacts/all")
    ids = f"{made.contacts[0]}, nobody"
    assert "Already in it: 1. Not taken: 1" in post(client, f"{url}/contacts/ids", contact_ids=ids)
    assert "Already in it: 14" in post(client, f"{url}/contacts/import", import_id="i-acme")
    assert "No contact" in post(client, f"{url}/contacts/ids", 409)
    post(client, f"{url}/activate", 400)
    post(client, f"{url}/delete")
    assert client.get(url).status_code == 404
    acts = set(collection(AuditLog).distinct("action"))
    assert {"campaign.create", "campaign.publish", "campaign.enroll_all"} <= acts


def test_what_is_wrong_with_a_plan_is_said_by_its_path(made: Seeded) -> None:
    client = signed_in("operator")
    url = f"{campaign_url(made)}/plan"
    wrong = json.loads(json.dumps(PLAN))
    wrong["nodes"][0]["transitions"][0]["to"] = "nowhere"
    told = post(client, f"{url}/publish", 400, plan=json.dumps(wrong))
    assert told.startswith("plan | ")
    assert "nodes[0].transitions[0].to" in told
    assert "nodes[0].transitions[0].to" in post(client, f"{url}/check", 200, plan=json.dumps(wrong))
    assert "line 1, column 2" in post(client, f"{url}/publish", 400, plan="{oops}")
    file = {"plan_file": ("plan.json", b"[]", "application/json")}
    assert "expected an object" in post(client, f"{url}/check", 400, plan="{}", files=file)
    assert client.get(f"{url}?version=1").status_code == 200
    assert client.get(f"{url}?version=9").status_code == 404
    assert row(Campaign, made.campaign_id)["plan_version"] == 2


def test_campaigns_enrollments_and_tenants_are_paused_resumed_and_stopped(made: Seeded) -> None:
    client = signed_in("operator")
    url = campaign_url(made)
    assert "paused" in post(client, f"{url}/pause", reason="a typing error")
    assert row(Campaign, made.campaign_id)["status_reason"] == "a typing error"
    collection(SenderIdentity).update_one(
        {"_id": made.sms_sender}, {"$set": {"status": "verified"}}
    )
    post(client, f"{url}/resume")
    one = f"{made.url}/enrollments/{made.enrollments[0]}"
    post(client, f"{one}/pause", reason="asked")
    assert row(Enrollment, made.enrollments[0])["status"] == "paused"
    assert "Nothing while it is paused" in client.get(one).text
    post(client, f"{one}/resume")
    post(client, f"{one}/stop")
    assert row(Enrollment, made.enrollments[0])["status"] == "stopped"
    post(client, f"{one}/pause", 400)
    post(client, f"{made.url}/pause", reason="the law")
    assert "Outreach of this tenant is paused" in client.get(made.url).text
    post(client, f"{made.url}/pause", 409)
    post(client, f"{made.url}/resume")
    assert not row(Tenant, made.tenant_id)["outreach_paused"]
    post(client, f"{url}/stop", reason="over")
    assert row(Campaign, made.campaign_id)["status"] == "stopped"


def test_who_knows_says_whether_an_unknown_message_was_sent(made: Seeded) -> None:
    client = signed_in("operator")
    listed = client.get(f"{made.url}/messages").text
    assert "It is not known whether these went out" in listed
    assert "Email Activity does not know it" in listed
    assert "asked again" in listed
    post(client, f"{made.url}/messages/{made.unknown}/sent")
    message = row(OutboundMessage, made.unknown)
    assert message["state"] == "sent"
    assert "the-operator" in message["reconciliation"]
    assert "It is not known whether" not in client.get(f"{made.url}/messages").text
    post(client, f"{made.url}/messages/{made.unknown}/not-sent", 400)


def test_senders_keep_their_credentials_to_themselves(made: Seeded) -> None:
    client = signed_in("admin")
    url = f"{made.url}/senders"
    fields = {"name": "Second", "provider": "sendgrid", "address": "B@acme.example"}
    secret = {"credentials.api_key": "SG.very-secret"}
    limits = {"limits.per_minute": "5", "limits.per_hour": "", "limits.per_day": ""}
    assert post(client, url, 400, **fields, **limits | {"limits.per_hour": "x"}).startswith(
        "limits.per_hour | "
    )
    post(client, url, **fields, **secret, **limits)
    sender = collection(SenderIdentity).find_one({"name": "Second"})
    assert sender is not None
    assert sender["limits"] == {"per_minute": 5}
    assert sender["credentials"]["key_id"]
    one = f"{url}/{sender['_id']}"
    form = client.get(f"{one}/edit").text
    assert "SG.very-secret" not in form
    assert "those that it has stay" in form
    post(client, one, **fields | {"name": "Second!"}, **limits)
    assert row(SenderIdentity, sender["_id"])["credentials"] == sender["credentials"]
    post(client, f"{one}/pause")
    assert "paused" in client.get(url).text
    post(client, f"{one}/resume")
    post(client, f"{one}/disable")
    post(client, f"{one}/enable")
    post(client, one, **fields, **limits, without_credentials="1")
    assert "credentials" not in row(SenderIdentity, sender["_id"])
    post(client, f"{one}/delete")
    assert collection(SenderIdentity).find_one({"_id": sender["_id"]}) is None
    post(client, f"{url}/{made.email_sender}/delete", 400)
    assert signed_in("operator").post(url, headers=HX).status_code == 403
    assert "SG.very-secret" not in str(list(collection(AuditLog).find()))


def test_contacts_are_added_changed_imported_and_forgotten(made: Seeded) -> None:
    client = signed_in("operator")
    url = f"{made.url}/contacts"
    assert post(client, url, 400, email="no address").startswith("email | ")
    post(client, url, email="Bob@x.example", first_name="Bob", fields="plan = gold")
    bob = collection(Contact).find_one({"email": "bob@x.example"})
    assert bob is not None
    assert bob["fields"] == {"plan": "gold"}
    one = f"{url}/{bob['_id']}"
    assert "plan = gold" in post(client, f"{one}/edit", 200)
    post(client, one, email="bob@x.example", first_name="Rob", fields="tier = 2")
    assert row(Contact, bob["_id"])["fields"] == {"tier": "2"}
    assert post(client, one, 400, email="bob@x.example", fields="what").startswith("fields | ")
    post(client, f"{one}/forget")
    assert "It was forgotten" in client.get(one).text
    rows = "email,first_name\neve@x.example,Eve\nnobody,Nobody\neve@x.example,Eve\n"
    upload = f"/admin/outreach-imports/{made.tenant_id}"
    told = post(client, upload, files={"file": ("people.csv", rows.encode(), "text/csv")})
    assert "people.csv" in told
    assert "Rows that were not taken" in told
    assert "this is not an e-mail address" in told
    assert collection(Contact).find_one({"email": "eve@x.example"})
    assert post(client, upload, 400).startswith("file | ")
    assert signed_in("viewer").post(upload, headers=HX).status_code == 403


def test_addresses_are_suppressed_and_lifted(made: Seeded) -> None:
    client = signed_in("operator")
    url = f"{made.url}/suppressions"
    assert post(client, url, 400, channel="sms", address="12").startswith("address | ")
    post(client, url, channel="email", address="Wrote.By.Mistake@x.example", note="asked by phone")
    found = collection(Suppression).find_one({"reason": "manual", "by": "the-operator"})
    assert found is not None
    assert found["address"] == "wrote.by.mistake@x.example"
    assert "asked by phone" in client.get(f"{url}?address=wrote.by.mistake@x.example").text
    post(client, f"{url}/{found['_id']}/lift", reason="asked again")
    assert collection(Suppression).find_one({"_id": found["_id"]}) is None
    post(client, f"{url}/{found['_id']}/lift", 404)


def test_a_tenant_has_its_name_and_limits(made: Seeded) -> None:
    client = signed_in("operator")
    url = f"{made.url}/settings/save"
    said = {"name": "Acme", "sends_per_hour": "many"}
    assert post(client, url, 400, **said).startswith("sends_per_hour | ")
    post(client, url, **said | {"sends_per_hour": "100"})
    tenant = row(Tenant, made.tenant_id)
    assert (tenant["name"], tenant["sends_per_hour"]) == ("Acme", 100)
    assert "postal_address" not in tenant


def test_what_could_not_be_read_is_shown_by_its_path(made: Seeded) -> None:
    client = signed_in("viewer")
    assert "[3].timestamp: expected" in client.get(f"{made.url}/deliveries").text
    collection(OutreachDelivery).update_many({}, {"$set": {"tenant_ids": []}})
    assert "[3].timestamp" not in client.get(f"{made.url}/deliveries").text
    assert "[3].timestamp" in client.get(f"{made.url}/deliveries?all=1").text


def test_what_was_set_aside_is_worked_through_again_when_somebody_says_so(made: Seeded) -> None:
    viewer, client = signed_in("viewer"), signed_in("operator")
    url = f"{made.url}/deliveries"
    assert post(client, f"{url}/again").startswith("1 request will")
    assert post(client, f"{url}/again", 409) == "None is set aside."
    [one] = collection(OutreachDelivery).find({"status": "partial"})
    aside = {"$set": {"status": "failed", "attempts": 12}}
    for end in (f"/{one['_id']}", ""):
        collection(OutreachDelivery).update_one({"_id": one["_id"]}, aside)
        shown = f"{url}{end or '?status=failed'}"
        assert "Work through" not in viewer.get(shown).text
        assert viewer.post(f"{url}{end}/again", headers=HX).status_code == 403
        assert f'hx-post="{url}{end}/again"' in client.get(shown).text
        assert post(client, f"{url}{end}/again").startswith("1 request will be worked through")
        assert row(OutreachDelivery, one["_id"])["open"] is True


def test_what_is_remembered_of_one_page_is_not_shown_on_another(made: Seeded, setting: Any) -> None:
    client = signed_in("admin")
    ends = ("/contacts", "/contacts/imports", "/senders", "/contacts/new", "/senders/new")
    for end in ends:
        assert client.get(made.url + end).status_code == 200
    setting(MONGODB_URI="mongodb://127.0.0.1:1/headrace")
    with asked_anew():
        for end in ends:
            shown = client.get(made.url + end)
            assert shown.status_code == 200, end
        assert "does not answer" in client.get(f"{made.url}/contacts").text
