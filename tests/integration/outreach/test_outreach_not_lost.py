"""Who is under way stays so: whatever crosses what, something is due, or somebody is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import outreach_rows as rows
import pytest
from outreach_rows import BY, TENANT, on, plan, send
from sending_rows import SENDING, Case

from models import Contact, ScheduledAction, Tenant
from pipeline.errors import LeaseLost
from pipeline.outreach import (
    campaign_status,
    campaigns,
    contacts,
    enrollments,
    pacing,
)
from pipeline.outreach.sending import handing_over, reconciling
from pipeline.refusals import Refused
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection


def of_its_own(case: Case) -> None:
    enrollments.pause(TENANT, case.enrollment["_id"], by=BY)
    enrollments.resume(TENANT, case.enrollment["_id"], by=BY)


def of_its_campaign(case: Case) -> None:
    campaigns.pause(TENANT, case.campaign_id, by=BY)
    rows.settle(case.campaign_id)
    campaigns.resume(TENANT, case.campaign_id, by=BY)
    rows.settle(case.campaign_id)


def given_up_on(case: Case) -> None:
    case.age(200)
    case.reconcile()
    assert (case.message["state"], case.action["status"]) == ("unknown", "error")


@pytest.mark.parametrize("meanwhile", [of_its_own, of_its_campaign, given_up_on])
def test_what_is_not_taken_after_a_pause_or_too_late_is_tried_again(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Case], None]
) -> None:
    case = Case("smtp")
    match = {"api": "smtp", "method": SENDING["smtp"]}
    sandbox.fault("status", match=match, params={"code": 451})
    after(monkeypatch, "_last_look", lambda: meanwhile(case))
    case.send()
    assert (case.message["state"], case.enrollment["status"]) == ("retryable", "active")
    [case.action_id] = [row["_id"] for row in case.actions("pending")]
    assert case.action["due_at"] > rows.now() + timedelta(minutes=19)
    case.due_now()
    assert case.send() == "sent"


@pytest.mark.parametrize("meanwhile", [of_its_own, of_its_campaign])
def test_what_was_not_handed_over_for_a_pause_is_sent_when_it_is_over(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Case], None]
) -> None:
    case = Case("smtp")
    after(monkeypatch, "claim", lambda: meanwhile(case))
    with pytest.raises(LeaseLost):
        case.send()
    assert sandbox.inbox() == []
    assert (case.message["state"], case.enrollment["status"]) == ("canceled", "active")
    [case.action_id] = [row["_id"] for row in case.actions("pending")]
    assert case.send() == "sent"


def after(monkeypatch: pytest.MonkeyPatch, name: str, then: Callable[[], object]) -> None:
    """Have something happen once, right after a step of a send."""
    step = getattr(handing_over, name)

    def both(*args: Any) -> Any:
        done = step(*args)
        monkeypatch.setattr(handing_over, name, step)
        then()
        return done

    monkeypatch.setattr(handing_over, name, both)


def test_who_moves_to_the_other_side_of_the_world_is_written_to_by_day(
    sandbox: SandboxClient,
) -> None:
    # The days of the two zones, of nine hours each, have no moment in common.
    here, there = "Etc/GMT", "Etc/GMT-12"
    quiet = {"start": clock(4.5), "end": clock(-4.5)}
    case = Case("smtp", {"time_zone": here}, quietHours=quiet)
    contacts.update(TENANT, case.contact_id, {"time_zone": there}, by=BY)
    assert case.send() == f"put off: quiet hours in {there} end then"
    assert timedelta(hours=7) < case.action["due_at"] - rows.now() <= timedelta(hours=7.6)
    # By then the line has to let it through.
    assert pacing._quiet_until(case.action, case.action["due_at"]) is None
    assert sandbox.inbox() == []


def clock(hours: float) -> str:
    """Return the time of day in UTC so many hours from now."""
    return f"{datetime.now(UTC) + timedelta(hours=hours):%H:%M}"


def test_who_is_resumed_together_with_the_campaign_goes_on(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    [contact] = rows.contacts()
    campaign = rows.campaign(plan(send("first")), [contact])
    enrollments.pause(TENANT, f"{campaign}:{contact}", by=BY)
    campaigns.pause(TENANT, campaign, by=BY)
    rows.settle(campaign)
    carry = enrollments.carry

    def late(*args: Any) -> Any:
        monkeypatch.setattr(enrollments, "carry", carry)
        campaigns.resume(TENANT, campaign, by=BY)
        rows.settle(campaign)
        return carry(*args)

    monkeypatch.setattr(enrollments, "carry", late)
    enrollments.resume(TENANT, f"{campaign}:{contact}", by=BY)
    assert rows.enrollment(campaign, contact)["status"] == "active"
    assert [row["kind"] for row in rows.actions(campaign)] == ["send"]


def test_a_tenant_is_resumed_with_all_its_campaigns_or_not_at_all(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaigns.pause_tenant(TENANT, by=BY)

    def dies(model: Any) -> Any:
        if model is not Tenant:
            raise ZeroDivisionError
        return collection(model)

    monkeypatch.setattr(campaign_status, "collection", dies)
    with pytest.raises(ZeroDivisionError):
        campaigns.resume_tenant(TENANT, by=BY)
    tenant = collection(Tenant).find_one({"_id": TENANT}) or {}
    assert tenant["outreach_paused"]


def test_a_sender_stays_while_contacts_are_under_way_by_an_earlier_plan(stores: None) -> None:
    [contact] = rows.contacts(phone="+4915550000001")
    campaign = rows.campaign(plan(send("first")), [contact])
    texts = rows.sender("texts", channel="sms", provider="twilio", address="+4915550000002")
    campaigns.update(TENANT, campaign, sms_sender_id=texts, by=BY)
    sms = send("text", channel="sms", subject=None, body="Hello")
    campaigns.publish(TENANT, campaign, plan(sms), by=BY)
    with pytest.raises(Refused, match="an earlier plan sends email") as refused:
        campaigns.update(TENANT, campaign, email_sender_id="", by=BY)
    assert refused.value.field == "email_sender_id"
    other = rows.sender("other")
    campaigns.update(TENANT, campaign, email_sender_id=other, by=BY)
    rows.settle(campaign)
    assert [row["sender_id"] for row in rows.actions(campaign)] == [other]


def test_a_campaign_that_is_renamed_while_it_resumes_resumes(stores: None) -> None:
    [contact] = rows.contacts()
    campaign = rows.campaign(plan(send("first")), [contact])
    campaigns.pause(TENANT, campaign, by=BY)
    rows.settle(campaign)
    campaigns.resume(TENANT, campaign, by=BY)
    campaigns.update(TENANT, campaign, name="Summer", by=BY)
    rows.settle(campaign)
    assert len(rows.actions(campaign)) == 1


def test_what_one_contact_lacks_does_not_end_the_others(stores: None) -> None:
    code = "{% if contact.fields.plan == 'gold' %}{{ contact.fields.code }}{% endif %}"
    node = send("first", on("no_click", "stop"), body=f"Hello {code}")
    gold, silver = rows.contacts(2, fields={"plan": "gold"})
    collection(Contact).update_one({"_id": silver}, {"$set": {"fields.plan": "silver"}})
    campaign = rows.campaign(plan(node), [gold, silver])
    found = {one: rows.enrollment(campaign, one) for one in (gold, silver)}
    assert {one: row["status"] for one, row in found.items()} == {gold: "error", silver: "active"}
    assert "contact.fields.code" in found[gold]["reason"]


def test_a_zone_that_is_no_more_does_not_hold_up_the_line(stores: None) -> None:
    first, second = rows.contacts(2, time_zone="Asia/Tokyo")
    quiet = {"start": clock(-14.5), "end": clock(-14.25)}
    campaign = rows.campaign(plan(send("first"), quietHours=quiet), [first, second])
    changed = {"$set": {"data.time_zone": "Mars/Base"}}
    collection(ScheduledAction).update_one({"contact_id": first}, changed)
    assert pacing.pace(rows.sender()) == "2 messages queued"
    assert len(rows.actions(campaign, ["queued"])) == 2


def test_a_provider_that_refuses_to_be_asked_leaves_it_to_a_person(
    sandbox: SandboxClient,
) -> None:
    case = Case("sendgrid")
    sandbox.fault("drop", match={"api": "sendgrid", "method": "mail.send"})
    case.send()
    assert case.message["state"] == "unknown"
    refusal = {"api": "sendgrid", "method": "messages.list"}
    sandbox.fault("status", match=refusal, params={"code": 400}, times=2)
    case.age(100)
    case.reconcile()
    assert "it is looked for again" in case.message["reconciliation"]
    case.age(73 * 3600)
    assert case.reconcile() == "it is left to a person"
    assert "reconcile_due_at" not in case.message
    assert reconciling.unknown_messages()[("person",)] == 1
