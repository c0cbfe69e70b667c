"""Campaigns move contacts on by what is known, once, and by the times at which it happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import outreach_rows as rows
import pytest
from outreach_rows import BY, TENANT, on, plan, send, wait
from pymongo.client_session import ClientSession

from models import (
    Campaign,
    Enrollment,
    OutboundMessage,
    OutreachEvent,
    ScheduledAction,
    Suppression,
)
from pipeline.errors import Gone, Permanent, Unfinished
from pipeline.jobs import consistency
from pipeline.jobs.reading import page
from pipeline.outreach import (
    advancing,
    beats,
    campaigns,
    enrolling,
    enrollments,
    promoting,
    suppressions,
    timeouts,
)
from pipeline.outreach.transactions import transaction
from pipeline.queues import job_named
from pipeline.stores import collection, redis_client

pytestmark = pytest.mark.usefixtures("stores")

HOUR = timedelta(hours=1)
FOLLOW_UP = plan(
    send("first", on("clicked", "thanks"), on("no_click", "second", after="PT1H")),
    send("second", on("no_open", "stop", after="PT72H")),
    send("thanks"),
)


def test_a_contact_goes_where_the_first_thing_that_happened_leads() -> None:
    clicks, waits = rows.contacts(2)
    campaign = rows.campaign(FOLLOW_UP, [clicks, waits])
    assert [one["node_id"] for one in rows.actions(campaign)] == ["first", "first"]
    lately, sent_at = rows.now() - HOUR / 2, rows.now() - 3 * HOUR
    clicked = rows.sent(campaign, clicks, lately)
    rows.happened(clicked, "clicked", lately + HOUR / 3)
    message = rows.sent(campaign, waits, sent_at)
    # A click that becomes known after the deadline, and came after it, changes nothing.
    rows.happened(message, "clicked", sent_at + 2 * HOUR)

    led = rows.enrollment(campaign, clicks)
    assert (led["node_id"], led["node_entered_at"]) == ("thanks", lately + HOUR / 3)
    late = rows.enrollment(campaign, waits)
    assert (late["node_id"], late["node_entered_at"]) == ("second", sent_at + HOUR)
    event = collection(OutreachEvent).find_one({"_id": f"headrace:{message}:no_click"})
    assert event is not None
    assert event["occurred_at"] == sent_at + HOUR
    last = rows.transitions(campaign, waits)[-1]
    assert (last["trigger"], last["event_id"]) == ("no_click", event["_id"])
    assert {one["node_id"] for one in rows.actions(campaign)} == {"thanks", "second"}


def test_a_timer_fires_at_its_deadline_once() -> None:
    [contact] = rows.contacts()
    campaign = rows.campaign(FOLLOW_UP, [contact])
    sent_at = rows.now() - HOUR + timedelta(seconds=0.4)
    rows.sent(campaign, contact, sent_at)
    [timer] = rows.actions(campaign, kind="timeout")
    assert timer["due_at"] == sent_at + HOUR
    beat = beats.beat_of(timer["due_at"])
    with pytest.raises(Unfinished) as early:
        timeouts.fire(TENANT, beat)
    assert early.value.delay_seconds < 1
    _wait_until(beats.end_of(beat))
    assert timeouts.fire("another", beat) == "0 contacts moved on"
    assert timeouts.fire(TENANT, beat) == "1 contact moved on"
    assert timeouts.fire(TENANT, beat) == "0 contacts moved on"
    assert _status(timer) == "completed"
    assert rows.transitions(campaign, contact)[-1]["occurred_at"] == timer["due_at"]
    assert len(rows.transitions(campaign, contact)) == 2


def test_one_timer_that_cannot_fire_holds_up_no_other() -> None:
    contacts = rows.contacts(3)
    campaign = rows.campaign(FOLLOW_UP, contacts)
    for contact in contacts:
        rows.sent(campaign, contact, rows.now() - HOUR + timedelta(seconds=30))
    collection(ScheduledAction).update_many({"kind": "timeout"}, {"$set": {"due_at": rows.now()}})
    collection(OutboundMessage).update_many({}, {"$set": {"sent_at": rows.now() - HOUR}})
    collection(Enrollment).update_many({}, {"$set": {"sent_at": rows.now() - HOUR}})
    broken = f"{campaign}:{contacts[1]}"
    collection(Enrollment).update_one({"_id": broken}, {"$set": {"plan_version": 99}})
    assert timeouts.fire(TENANT, beats.OVERDUE) == "2 contacts moved on"
    [left] = rows.actions(campaign, kind="timeout")
    assert (left["enrollment_id"], left["because"]) == (broken, "it could not be fired: Gone")
    assert left["due_at"] > rows.now()


def test_a_second_visit_sends_nothing_and_counts_from_its_entry() -> None:
    [contact] = rows.contacts()
    circle = plan(
        send("first", on("no_open", "rest", after="PT1H")),
        wait("rest", on("no_open", "first", after="PT1H")),
    )
    campaign = rows.campaign(circle, [contact])
    sent_at = rows.now() - 2.5 * HOUR
    message = rows.sent(campaign, contact, sent_at)
    row = rows.enrollment(campaign, contact)
    assert (row["node_id"], row["sent_at"]) == ("first", sent_at + 2 * HOUR)
    assert row["message_id"] == message
    [timer] = rows.actions(campaign)
    assert (timer["kind"], timer["due_at"]) == ("timeout", sent_at + 3 * HOUR)


def test_a_pause_holds_contacts_and_a_resume_makes_up_for_it() -> None:
    contacts = rows.contacts(3)
    campaign = rows.campaign(FOLLOW_UP, contacts)
    message = rows.sent(campaign, contacts[0], rows.now() - HOUR / 2)
    before = {one["_id"] for one in rows.actions(campaign)}

    campaigns.pause(TENANT, campaign, by=BY, reason="a wrong link")
    rows.settle(campaign)
    assert rows.actions(campaign) == []
    rows.happened(message, "clicked")
    assert rows.enrollment(campaign, contacts[0])["node_id"] == "first"

    campaigns.resume(TENANT, campaign, by=BY)
    rows.settle(campaign)
    assert rows.enrollment(campaign, contacts[0])["node_id"] == "thanks"
    again = {one["_id"] for one in rows.actions(campaign)}
    assert len(again) == 3
    assert len(again & before) == 2  # the same actions, taken up again
    row = collection(Campaign).find_one({"_id": campaign}) or {}
    assert "settle_due_at" not in row

    campaigns.pause_tenant(TENANT, by=BY)
    rows.settle(campaign)
    assert rows.actions(campaign) == []
    campaigns.resume_tenant(TENANT, by=BY)
    rows.settle(campaign)
    assert {one["_id"] for one in rows.actions(campaign)} == again


def test_a_stop_ends_all_for_good() -> None:
    contacts = rows.contacts(3)
    campaign = rows.campaign(FOLLOW_UP, contacts[:2])
    message = rows.sent(campaign, contacts[0], rows.now() - HOUR / 2)
    enrollments.stop(TENANT, f"{campaign}:{contacts[1]}", by=BY, reason="asked by phone")
    campaigns.stop(TENANT, campaign, by=BY, reason="over")
    rows.settle(campaign)
    rows.happened(message, "clicked")
    assert {row["status"] for row in collection(Enrollment).find()} == {"stopped"}
    assert rows.actions(campaign) == []
    last = [rows.transitions(campaign, contact)[-1] for contact in contacts[:2]]
    assert [one["reason"] for one in last] == ["over", "asked by phone"]
    assert all(one["by"] == BY for one in last)
    with pytest.raises(Permanent, match="stopped"):
        enrolling.enroll(TENANT, campaign, contacts, by=BY)
    with pytest.raises(Permanent, match="it is stopped"):
        campaigns.resume(TENANT, campaign, by=BY)


def test_who_cannot_be_written_to_is_not_begun_with() -> None:
    asks_more = plan(send("first", subject="{{ contact.company }}, {{ contact.fields.plan }}"))
    fit = rows.contacts(prefix="fit", company="Navy", fields={"plan": "gold"})
    lacking = rows.contacts(prefix="lacking")
    nowhere = rows.contacts(prefix="nowhere", email=None, phone="+4930123456")
    gone = rows.contacts(prefix="gone", company="Navy", fields={"plan": "gold"})
    suppressions.suppress(
        None, TENANT, "email", "gone-0@example.com", reason="unsubscribed", source="link"
    )
    campaign = rows.campaign(asks_more, [*fit, *lacking, *nowhere, *gone])
    found = {
        row["contact_id"]: (row["status"], row.get("reason") or "")
        for row in collection(Enrollment).find()
    }
    assert found["fit-0"] == ("active", "")
    assert found["lacking-0"][0] == "error"
    assert "contact.fields.plan" in found["lacking-0"][1]
    assert found["nowhere-0"] == ("error", "the contact has no e-mail address")
    assert found["gone-0"][0] == "stopped"
    assert "unsubscribed" in found["gone-0"][1]
    assert len(rows.actions(campaign)) == 1
    assert collection(Suppression).count_documents({}) == 1


def test_a_campaign_says_all_that_keeps_it_from_starting() -> None:
    campaign = campaigns.create(TENANT, name="Spring", by=BY)
    assert [one.path for one in campaigns.readiness(TENANT, campaign)] == ["plan"]
    first = campaigns.publish(TENANT, campaign, FOLLOW_UP, by=BY)
    assert campaigns.publish(TENANT, campaign, FOLLOW_UP, by=BY) == first == 1
    with pytest.raises(campaigns.NotReady) as refused:
        campaigns.activate(TENANT, campaign, by=BY)
    assert [one.path for one in refused.value.problems] == ["email_sender_id"]

    of_others = rows.sender("theirs", tenant_id="others")
    with pytest.raises(Permanent, match="email_sender_id"):
        campaigns.update(TENANT, campaign, by=BY, email_sender_id=of_others)
    unverified = rows.sender("new", status="unverified")
    campaigns.update(TENANT, campaign, by=BY, email_sender_id=unverified)
    [problem] = campaigns.readiness(TENANT, campaign)
    assert "verify" in problem.message
    by_smtp = rows.sender("server", provider="smtp")
    campaigns.update(TENANT, campaign, by=BY, email_sender_id=by_smtp)
    assert campaigns.readiness(TENANT, campaign) == []
    signed = plan(send("first", body="From {{ tenant.name }} to {{ contact.company }}"))
    campaigns.publish(TENANT, campaign, signed, by=BY)
    [problem] = campaigns.readiness(TENANT, campaign)
    assert (problem.path, "tenant.name" in problem.message) == ("nodes[0]", True)
    told = plan(send("first", on("delivered", "stop")))
    assert campaigns.publish(TENANT, campaign, told, by=BY) == 3
    assert [p.path for p in campaigns.readiness(TENANT, campaign)] == ["nodes[0].transitions[0].on"]
    with pytest.raises(Gone):
        campaigns.activate("others", campaign, by=BY)
    campaigns.delete(TENANT, campaign, by=BY)
    with pytest.raises(Gone):
        campaigns.readiness(TENANT, campaign)


def test_no_mail_goes_out_from_which_nobody_could_unsubscribe(setting: Callable[..., None]) -> None:
    mail = rows.draft(plan(send("first")), [])
    setting(PUBLIC_BASE_URL="")
    assert [one.path for one in campaigns.readiness(TENANT, mail)] == ["PUBLIC_BASE_URL"]


def test_a_new_plan_is_for_those_who_begin_with_it() -> None:
    early, late, stranger = *rows.contacts(2), rows.contacts(prefix="x", tenant_id="others")[0]
    campaign = rows.campaign(FOLLOW_UP, [early])
    campaigns.publish(TENANT, campaign, plan(send("other")), by=BY)
    done = enrolling.enroll(TENANT, campaign, [early, late, stranger], by=BY)
    assert (done.added, done.already, done.refused) == (1, 1, 1)
    assert enrolling.enroll_all(TENANT, campaign, by=BY).already == 2
    rows.settle(campaign)
    assert rows.enrollment(campaign, early)["node_id"] == "first"
    assert rows.enrollment(campaign, late)["node_id"] == "other"


def test_a_changed_sender_takes_over_what_waits() -> None:
    campaign = rows.campaign(FOLLOW_UP, rows.contacts(2))
    other = rows.sender("sender-2")
    campaigns.update(TENANT, campaign, by=BY, email_sender_id=other)
    rows.settle(campaign)
    assert {one["sender_id"] for one in rows.actions(campaign)} == {other}


def test_what_is_missing_is_made_and_what_is_surplus_canceled() -> None:
    [contact] = rows.contacts()
    campaign = rows.campaign(FOLLOW_UP, [contact])
    [action] = rows.actions(campaign)
    surplus = action | {"_id": "timeout:x", "kind": "timeout", "state_version": 0}
    collection(ScheduledAction).delete_one({"_id": action["_id"]})
    collection(ScheduledAction).insert_one(surplus)
    _advance(f"{campaign}:{contact}")
    assert [one["_id"] for one in rows.actions(campaign)] == [action["_id"]]


def test_two_at_once_move_a_contact_on_once() -> None:
    contacts = rows.contacts(8)
    campaign = rows.campaign(FOLLOW_UP, contacts)
    messages = [rows.sent(campaign, one, rows.now() - HOUR / 2) for one in contacts]
    with ThreadPoolExecutor(8) as pool:
        twice = [*messages, *messages]
        names = [f"sendgrid:{n}" for n in range(16)]
        list(pool.map(lambda m, e: rows.happened(m, "clicked", event_id=e), twice, names))
    for contact in contacts:
        assert rows.enrollment(campaign, contact)["node_id"] == "thanks"
        assert len(rows.transitions(campaign, contact)) == 2
    assert len(rows.actions(campaign)) == 8


def test_of_a_start_and_a_stop_at_once_the_stop_wins() -> None:
    campaign = rows.draft(FOLLOW_UP, rows.contacts(20))

    def act(act: Any) -> None:
        try:
            act(TENANT, campaign, by=BY)
        except Permanent:
            assert act is campaigns.activate
        rows.settle(campaign)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, [campaigns.activate, campaigns.stop]))
    rows.settle(campaign)
    assert {row["status"] for row in collection(Enrollment).find()} == {"stopped"}
    assert rows.actions(campaign) == []


def test_events_during_a_pause_move_contacts_before_it_or_after_it() -> None:
    contacts = rows.contacts(8)
    campaign = rows.campaign(FOLLOW_UP, contacts)
    messages = [rows.sent(campaign, one, rows.now() - HOUR / 2) for one in contacts]

    def pause() -> None:
        campaigns.pause(TENANT, campaign, by=BY)
        rows.settle(campaign)

    with ThreadPoolExecutor(4) as pool:
        events = [pool.submit(rows.happened, one, "clicked") for one in messages]
        paused = pool.submit(pause)
        assert not [one for one in [*events, paused] if one.exception()]
    rows.settle(campaign)
    assert rows.actions(campaign) == []
    campaigns.resume(TENANT, campaign, by=BY)
    rows.settle(campaign)
    assert {one["node_id"] for one in rows.actions(campaign)} == {"thanks"}
    assert len(rows.actions(campaign)) == 8


def test_a_tick_finds_all_that_is_due_and_what_lost_its_job() -> None:
    contacts = rows.contacts(3)
    campaign = rows.campaign(FOLLOW_UP, contacts)
    rows.sent(campaign, contacts[0], rows.now() - HOUR + timedelta(seconds=30))
    [timer] = rows.actions(campaign, kind="timeout")
    redis_client().flushdb()  # so that the job is lost which was made at once
    assert promoting.promote() == "timers of 1 beat, 1 sender"
    assert promoting.promote() == "timers of 0 beats, 1 sender"  # what has a job waits for it
    jobs = page(job_named("fire_timeouts").queue.name, None, limit=100).jobs
    [job] = [job for job in jobs if job.job == "fire_timeouts"]
    beat = beats.beat_of(timer["due_at"])
    assert job.arguments == (TENANT, beat)
    assert job.due_at is not None
    assert timedelta(0) <= job.due_at - beats.end_of(beat) < timedelta(seconds=0.3)

    long_ago = rows.now() - timedelta(hours=3)
    collection(ScheduledAction).update_one({"_id": timer["_id"]}, {"$set": {"due_at": long_ago}})
    send = {"enrollment_id": f"{campaign}:{contacts[1]}"}
    lost = {"status": "queued", "due_at": long_ago, "queued_at": long_ago}
    collection(ScheduledAction).update_one(send, {"$set": lost})
    assert promoting.promote() == "timers of 1 beat, 1 sender, 1 had lost their job"
    collection(Campaign).update_one({"_id": campaign}, {"$set": {"settle_due_at": long_ago}})
    assert "1 campaign to settle" in promoting.promote()
    assert consistency.check() == []


def _status(action: dict[str, Any]) -> str:
    row = collection(ScheduledAction).find_one({"_id": action["_id"]}) or {}
    return str(row["status"])


def _advance(enrollment_id: str) -> None:
    def work(session: ClientSession) -> None:
        advancing.advance(session, [enrollment_id], rows.now())

    transaction(work)


def _wait_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - rows.now()).total_seconds()) + 0.01)
