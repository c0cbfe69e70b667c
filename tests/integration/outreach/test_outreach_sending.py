"""Messages are sent once: whatever the provider says, whoever else tries, whatever stops them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import outreach_rows as rows
import pytest
from pymongo.errors import AutoReconnect
from sending_rows import PROVIDERS, SENDING, Case

from models import (
    Campaign,
    Contact,
    OutboundMessage,
    ScheduledAction,
    SenderIdentity,
    Suppression,
    Tenant,
)
from pipeline.errors import LeaseLost, Misconfigured
from pipeline.outreach import campaigns, enrollments, sending, suppressions
from pipeline.outreach.sending import handing_over
from pipeline.outreach.transactions import transaction
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

Setting = Callable[..., None]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_message_goes_out_once_and_its_clock_runs(sandbox: SandboxClient, provider: str) -> None:
    case = Case(provider)
    before = rows.now()
    assert case.send() == "sent"
    with pytest.raises(LeaseLost, match="the action is completed"):
        case.send()
    [arrived] = sandbox.inbox()
    message, enrollment = case.message, case.enrollment
    assert message["state"] == "sent"
    assert arrived["provider_id"].startswith(message["provider_id"])
    assert before <= message["handed_over_at"] <= message["sent_at"] == enrollment["sent_at"]
    assert enrollment["message_id"] == message["_id"]
    assert "lease_until" not in message
    assert case.action["status"] == "completed"
    [timer] = case.actions("pending", kind="timeout")
    assert timer["due_at"] == message["sent_at"] + timedelta(days=2)
    if provider == "twilio":
        assert "https://shop.example" not in arrived["text"]  # it leads through us
        return
    headers = {name.lower(): text for name, text in arrived["headers"].items()}
    assert headers["message-id"] == message["message_id_header"]
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert ("/o/" in arrived["html"]) == (provider == "smtp")
    assert "/u/" in arrived["html"]


def test_many_jobs_for_one_message_send_it_once(sandbox: SandboxClient) -> None:
    case = Case("smtp")

    def attempt(_: int) -> str:
        try:
            return case.send()
        except LeaseLost as error:
            return str(error)

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(attempt, range(6)))
    assert said.count("sent") == 1
    assert len(sandbox.inbox()) == 1
    assert (case.message["fence"], case.message["attempts"]) == (1, 1)


def test_a_job_that_comes_second_to_the_claim_leaves_the_message_alone(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("smtp")

    def another_claims() -> None:
        monkeypatch.setattr(handing_over, "_last_look", _is_killed)
        with pytest.raises(ZeroDivisionError):
            case.send()

    after(monkeypatch, "_take_budget", another_claims)
    with pytest.raises(LeaseLost, match="somebody else has claimed this message"):
        case.send()
    assert (case.message["state"], case.message["fence"]) == ("sending", 1)
    assert sandbox.inbox() == []


def _is_killed(*_: object) -> None:
    raise ZeroDivisionError


def test_what_was_put_off_while_its_job_was_made_waits_again(sandbox: SandboxClient) -> None:
    case = Case("smtp")
    later = {"due_at": rows.now() + timedelta(hours=1), "because": "its turn", "status": "queued"}
    collection(ScheduledAction).update_one({"_id": case.action_id}, {"$set": later})
    assert case.send() == "put off: its turn"
    assert case.action.items() >= (later | {"status": "pending"}).items()
    with pytest.raises(LeaseLost, match="its turn"):
        case.send()
    assert sandbox.inbox() == []


def test_what_was_not_taken_is_tried_again_later_and_given_up_in_the_end(
    sandbox: SandboxClient,
) -> None:
    case = Case("smtp")
    match = {"api": "smtp", "method": SENDING["smtp"]}
    sandbox.fault("status", match=match, params={"code": 451}, times=6)
    for attempt in range(1, 6):
        case.due_now()
        case.send()
        assert (case.message["state"], case.message["attempts"]) == ("retryable", attempt)
        assert "handed_over_at" not in case.message
        wait = case.action["due_at"] - rows.now()
        assert timedelta(seconds=-5) < wait - attempt * timedelta(minutes=20) <= timedelta()
    case.due_now()
    case.send()
    assert (case.message["state"], case.action["status"]) == ("failed", "error")
    assert case.enrollment["status"] == "error"
    assert sandbox.inbox() == []


def test_a_provider_that_asks_to_wait_is_left_alone_by_all_of_the_sender(
    sandbox: SandboxClient,
) -> None:
    case = Case("sendgrid")
    match = {"api": "sendgrid", "method": "mail.send"}
    sandbox.fault("status", match=match, params={"code": 429, "retry_after": 40})
    case.send()
    assert (case.message["state"], case.message["attempts"]) == ("retryable", 0)
    sender = collection(SenderIdentity).find_one({"_id": case.sender_id}) or {}
    assert 30 < (sender["hold_until"] - rows.now()).total_seconds() <= 41
    assert case.action["due_at"] == sender["hold_until"]
    case.due_now()
    assert case.send() == "put off: the provider has asked its sender to wait"
    past = {"$set": {"hold_until": rows.now()}}
    collection(SenderIdentity).update_one({"_id": case.sender_id}, past)
    case.due_now()
    assert case.send() == "sent"


def test_a_bad_address_ends_the_enrollment_and_is_not_written_to_again(
    sandbox: SandboxClient,
) -> None:
    case = Case("sendgrid", {"email": "ada@nowhere"})
    case.send()
    assert case.message["state"] == "failed"
    assert case.enrollment["status"] == "error"
    assert suppressions.why_suppressed(rows.TENANT, "email", "ada@nowhere") == "invalid"
    assert sandbox.inbox() == []


def test_a_sender_whose_credentials_are_refused_sends_nothing_until_it_is_verified(
    sandbox: SandboxClient, setting: Setting
) -> None:
    case = Case("sendgrid")
    setting(SENDGRID_API_KEY="SG.revoked")
    with pytest.raises(Misconfigured):
        case.send()
    sender = collection(SenderIdentity).find_one({"_id": case.sender_id}) or {}
    assert sender["status"] == "failing"
    assert sender["status_reason"]
    assert (case.message["state"], case.message["attempts"]) == ("retryable", 0)
    assert (case.action["status"], case.enrollment["status"]) == ("pending", "active")
    case.due_now()
    assert case.send() == "put off: its sender is failing"


def pause_campaign(case: Case) -> None:
    collection(Campaign).update_one({"_id": case.campaign_id}, {"$set": {"status": "paused"}})


def pause_tenant(case: Case) -> None:
    paused = {"$set": {"outreach_paused": True}}
    collection(Tenant).update_one({"_id": rows.TENANT}, paused, upsert=True)


def pause_sender(case: Case) -> None:
    collection(SenderIdentity).update_one({"_id": case.sender_id}, {"$set": {"is_paused": True}})


def pause_enrollment(case: Case) -> None:
    enrollments.pause(rows.TENANT, case.enrollment["_id"], by=rows.BY)


def stop_enrollment(case: Case) -> None:
    enrollments.stop(rows.TENANT, case.enrollment["_id"], by=rows.BY)


def stop_campaign(case: Case) -> None:
    campaigns.stop(rows.TENANT, case.campaign_id, by=rows.BY)


def suppress(case: Case) -> None:
    suppressions.suppress(
        None, rows.TENANT, "email", "smtp-0@example.com", reason="manual", source="admin"
    )


def unsubscribe(case: Case) -> None:
    suppressions.suppress(
        None, rows.TENANT, "email", "smtp-0@example.com", reason="unsubscribed", source="link"
    )


#: What keeps a message from being sent, and what the action and the enrollment are then.
GATES = [
    (pause_campaign, "pending", "active"),
    (pause_tenant, "pending", "active"),
    (pause_sender, "pending", "active"),
    (pause_enrollment, "canceled", "paused"),
    (stop_enrollment, "canceled", "stopped"),
    (stop_campaign, "canceled", "active"),  # the campaign's enrollments are settled by a job
    (suppress, "canceled", "stopped"),
    (unsubscribe, "canceled", "stopped"),
]


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize(("change", "action", "enrollment"), GATES)
def test_what_stops_it_before_the_last_look_is_heeded(
    sandbox: SandboxClient,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Case], None],
    action: str,
    enrollment: str,
    is_claimed: bool,
) -> None:
    case = Case("smtp")
    if is_claimed:
        after(monkeypatch, "claim", lambda: change(case))
    else:
        change(case)
    try:
        case.send()
    except LeaseLost:
        assert action == "canceled"
    assert sandbox.inbox() == []
    assert (case.action["status"], case.enrollment["status"]) == (action, enrollment)
    assert case.message.get("state") == ("canceled" if is_claimed else None)
    assert case.message.get("attempts", 0) == 0
    assert "handed_over_at" not in case.message


def after(monkeypatch: pytest.MonkeyPatch, name: str, then: Callable[[], object]) -> None:
    """Have something happen once, right after a step of a send."""
    step = getattr(handing_over, name)

    def both(*args: Any) -> Any:
        done = step(*args)
        monkeypatch.setattr(handing_over, name, step)
        then()
        return done

    monkeypatch.setattr(handing_over, name, both)


def test_who_was_held_up_by_a_pause_is_written_to_when_it_is_over(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("smtp")
    after(monkeypatch, "claim", lambda: pause_campaign(case))
    assert case.send() == "put off: its campaign is paused"
    collection(Campaign).update_one({"_id": case.campaign_id}, {"$set": {"status": "active"}})
    case.due_now()
    assert case.send() == "sent"
    assert (case.message["fence"], case.message["attempts"]) == (2, 1)
    assert len(sandbox.inbox()) == 1


def test_nothing_is_handed_over_within_quiet_hours_or_just_before(sandbox: SandboxClient) -> None:
    now = datetime.now(UTC)
    start, end = now + timedelta(minutes=1), now + timedelta(hours=2)
    soon = {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
    case = Case("smtp", quietHours=soon)
    case.due_now()
    assert case.send() == "put off: quiet hours in UTC end then"
    assert case.message == {}
    assert sandbox.inbox() == []
    assert case.action["due_at"] > rows.now() + timedelta(hours=1, minutes=57)


@pytest.mark.parametrize("calls", [0, 1])
def test_nothing_is_sent_if_it_cannot_be_seen_whether_it_may_be(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    case = Case("smtp")
    found = suppressions.why_suppressed
    left = [calls]

    def ask(*args: Any) -> str | None:
        left[0] -= 1
        if left[0] < 0:
            raise AutoReconnect("gone")
        return found(*args)

    monkeypatch.setattr(suppressions, "why_suppressed", ask)
    with pytest.raises(AutoReconnect):
        case.send()
    assert sandbox.inbox() == []
    assert case.message.get("state") == ("canceled" if calls else None)
    monkeypatch.undo()
    assert case.send() == "sent"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"$unset": {"first_name": ""}}, "contact.first_name"),
        ({"$set": {"time_zone": "Mars/Base"}}, "time zone"),
        ({"$unset": {"email": ""}}, "no address for email"),
    ],
)
def test_who_cannot_be_written_to_gets_nothing_and_it_is_said_why(
    sandbox: SandboxClient, change: dict[str, Any], why: str
) -> None:
    case = Case("smtp", quietHours={"start": "23:00", "end": "23:01"})
    collection(Contact).update_one({"_id": case.contact_id}, change)
    assert why in case.send()
    assert why in case.enrollment["reason"]
    assert (case.enrollment["status"], case.action["status"]) == ("error", "error")
    assert sandbox.inbox() == []


def test_a_job_that_was_held_up_for_too_long_hands_nothing_over(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch, setting: Setting
) -> None:
    case = Case("smtp")

    def hold_up() -> None:
        setting(OUTREACH_SEND_LEASE_SECONDS=2)
        time.sleep(1.1)

    after(monkeypatch, "claim", hold_up)
    assert case.send() == "put off: its job was held up for too long"
    assert case.message["state"] == "canceled"
    assert sandbox.inbox() == []


def test_an_event_before_the_answer_proves_that_it_was_sent(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("sendgrid")

    def told() -> None:
        row = case.message
        at = row["handed_over_at"] - timedelta(milliseconds=700)  # in whole seconds
        transaction(lambda session: sending.proven(session, {row["_id"]: at}, "delivered"))

    after(monkeypatch, "_last_look", told)
    assert case.send() == "sent"
    message = case.message
    assert message["sent_at"] == message["handed_over_at"] == case.enrollment["sent_at"]
    assert message["provider_id"]
    assert message["reconciliation"] == "delivered"
    assert case.action["status"] == "completed"


def test_a_full_domain_puts_off_what_waits_for_it_and_other_limits_the_one_message(
    sandbox: SandboxClient, setting: Setting
) -> None:
    setting(OUTREACH_DOMAIN_PER_HOUR=1)
    case = Case("smtp")
    first, second = rows.contacts(2, prefix="more")
    rows.enrolling.enroll(rows.TENANT, case.campaign_id, [first, second], by=rows.BY)
    rows.settling.settle(case.campaign_id)
    assert case.send() == "sent"
    due = [row["_id"] for row in case.actions("pending")]
    assert "2 put off" in sending.send(due[0], case.sender_id)
    waits = [
        round((row["due_at"] - rows.now()).total_seconds() / 3840)
        for row in rows.actions(case.campaign_id, ["pending"], kind="send")
    ]
    assert waits == [1, 2]
    setting(OUTREACH_DOMAIN_PER_HOUR=10, OUTREACH_TENANT_PER_HOUR=1)
    case.action_id = due[0]
    case.due_now()
    assert case.send() == "put off: its tenant may send 1 in any hour"
    assert case.action["because"] == "its tenant may send 1 in any hour"
    assert collection(OutboundMessage).count_documents({}) == len(sandbox.inbox()) == 1


def test_who_has_moved_to_a_full_domain_puts_off_nobody_of_the_old_one(
    sandbox: SandboxClient, setting: Setting
) -> None:
    setting(OUTREACH_DOMAIN_PER_HOUR=1)
    case = Case("smtp")
    moved, stays = rows.contacts(2, prefix="more")
    rows.enrolling.enroll(rows.TENANT, case.campaign_id, [moved, stays], by=rows.BY)
    rows.settling.settle(case.campaign_id)
    full = {"$set": {"email": "ada@full.example"}}
    collection(Contact).update_one({"_id": case.contact_id}, full)
    assert case.send() == "sent"
    before = {row["contact_id"]: row for row in case.actions("pending")}
    collection(Contact).update_one({"_id": moved}, {"$set": {"email": "bob@full.example"}})
    assert "1 put off" in sending.send(before[moved]["_id"], case.sender_id)
    after = {row["contact_id"]: row for row in case.actions("pending")}
    assert after[stays] == before[stays]
    assert after[moved]["domain"] == "full.example"
    assert after[moved]["due_at"] > rows.now() + timedelta(minutes=59)


def test_suppressions_of_others_do_not_matter(sandbox: SandboxClient) -> None:
    case = Case("smtp")
    suppressions.suppress(
        None, "other", "email", "smtp-0@example.com", reason="manual", source="admin"
    )
    assert collection(Suppression).count_documents({}) == 1
    assert case.send() == "sent"
