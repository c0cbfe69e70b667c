"""Messages of which no answer came: looked for, and sent again only if they were not sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import outreach_rows as rows
import pytest
from sending_rows import SENDING, Case

from models import AuditLog, OutboundMessage, ScheduledAction
from pipeline.errors import Gone, LeaseLost, Permanent
from pipeline.jobs.reading import page
from pipeline.outreach import advancing, enrollments, sending
from pipeline.outreach.channels.smtp import Smtp
from pipeline.outreach.sending.reconciling import unknown_messages
from pipeline.outreach.transactions import transaction
from pipeline.queues import OUTREACH_TIMEOUT
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

Setting = Callable[..., None]


def cut(sandbox: SandboxClient, provider: str, when: str) -> Case:
    """Return a message whose answer was lost: `after` it was taken, or `before`."""
    case = Case(provider)
    match = {"api": provider, "method": SENDING[provider]}
    sandbox.fault("drop", match=match, params={"when": when})
    assert case.send() == "no answer: it will be looked whether it was sent"
    assert (case.message["state"], case.action["status"]) == ("unknown", "error")
    assert (case.enrollment["status"], case.enrollment.get("sent_at")) == ("active", None)
    return case


@pytest.mark.parametrize("provider", ["sendgrid", "twilio"])
def test_what_was_taken_is_found_at_its_provider_and_not_sent_again(
    sandbox: SandboxClient, provider: str
) -> None:
    case = cut(sandbox, provider, "after")
    assert case.reconcile() == "nothing to look for: it is unknown"  # not yet
    with pytest.raises(LeaseLost):
        case.send()
    case.age(61)
    assert case.reconcile() == "it was sent"
    [arrived] = sandbox.inbox()
    message = case.message
    assert message["state"] == "sent"
    assert arrived["provider_id"].startswith(message["provider_id"])
    assert message["handed_over_at"] <= message["sent_at"] == case.enrollment["sent_at"]
    assert message["reconciliation"] == f"{provider} has it"
    assert case.action["status"] == "completed"
    assert len(case.actions("pending", kind="timeout")) == 1
    assert case.reconcile() == "nothing to look for: it is sent"


def test_what_was_not_taken_is_sent_once_more(sandbox: SandboxClient, setting: Setting) -> None:
    case = cut(sandbox, "twilio", "before")
    case.age(61)
    assert case.reconcile() == "it was not sent: it is sent again"
    assert (case.message["state"], case.action["status"]) == ("retryable", "pending")
    assert case.action["due_at"] <= rows.now()
    assert case.send() == "sent"
    assert len(sandbox.inbox()) == 1
    assert (case.message["fence"], case.message["state"]) == (2, "sent")


def test_what_was_never_taken_in_many_tries_is_left_to_a_person(sandbox: SandboxClient) -> None:
    case = cut(sandbox, "twilio", "before")
    tried = {"$set": {"attempts": 6}}
    collection(OutboundMessage).update_one({"_id": case.message["_id"]}, tried)
    case.age(61)
    assert case.reconcile() == "it is left to a person"
    assert "was tried 6 times" in case.message["reconciliation"]
    assert (case.message["state"], case.actions("pending")) == ("unknown", [])
    assert sending.tick() == "0 messages to look for"
    sending.resolve(rows.TENANT, case.message["_id"], sent=False, by=rows.BY)
    assert case.send() == "sent"


def test_what_was_not_taken_is_not_sent_to_who_was_stopped_meanwhile(
    sandbox: SandboxClient,
) -> None:
    case = cut(sandbox, "twilio", "before")
    enrollments.stop(rows.TENANT, case.enrollment["_id"], by=rows.BY)
    case.age(61)
    assert case.reconcile() == "it was not sent: it is sent again"
    assert case.actions("pending", "queued") == []
    with pytest.raises(LeaseLost):
        case.send()
    assert sandbox.inbox() == []


@pytest.mark.parametrize("was_sent", [True, False])
def test_what_nobody_can_say_waits_for_a_person(
    sandbox: SandboxClient, setting: Setting, was_sent: bool
) -> None:
    case = cut(sandbox, "smtp", "after" if was_sent else "before")
    message_id = case.message["_id"]
    waits = []
    for seconds in (61, 62, 300, 4 * 3600):
        case.age(seconds)
        assert "mail server" in case.reconcile()
        waits.append((case.message["reconcile_due_at"] - rows.now()).total_seconds())
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(61, abs=3)
    assert waits[-1] == pytest.approx(3600, abs=3)
    assert unknown_messages() == {("looked_up",): 1, ("person",): 0}
    case.age(72 * 3600)
    assert case.reconcile() == "it is left to a person"
    assert "reconcile_due_at" not in case.message
    assert unknown_messages() == {("looked_up",): 0, ("person",): 1}

    with pytest.raises(Gone):
        sending.resolve("other", message_id, sent=was_sent, by="grace")
    sending.resolve(rows.TENANT, message_id, sent=was_sent, by="grace")
    said = "it was sent" if was_sent else "it was not sent"
    assert case.message["reconciliation"] == f"grace has said that {said}"
    assert collection(AuditLog).count_documents({"action": "message.resolve", "actor": "grace"})
    if was_sent:
        assert case.enrollment["sent_at"] == case.message["handed_over_at"]
    else:
        assert case.send() == "sent"
    assert len(sandbox.inbox()) == 1
    with pytest.raises(Permanent, match="only what is unknown"):
        sending.resolve(rows.TENANT, message_id, sent=True, by="grace")


def test_an_event_settles_what_was_unknown(sandbox: SandboxClient) -> None:
    case = cut(sandbox, "smtp", "after")
    message_id, opened_at = case.message["_id"], rows.now() + timedelta(milliseconds=5)

    def learn(session: object) -> advancing.Wake:
        proofs = {message_id: opened_at, "nobody's": opened_at}
        found = sending.proven(session, proofs, "it was opened")  # type: ignore[arg-type]
        assert found == {case.enrollment["_id"]}
        return advancing.advance(session, found, rows.now())  # type: ignore[arg-type]

    transaction(learn)
    assert (case.message["state"], case.message["sent_at"]) == ("sent", case.enrollment["sent_at"])
    assert case.message["reconciliation"] == "it was opened"
    assert case.action["status"] == "completed"
    assert (
        transaction(lambda session: sending.proven(session, {message_id: opened_at}, "x")) == set()
    )


def test_whose_job_ended_without_a_word_is_looked_for(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("twilio")
    monkeypatch.setattr("pipeline.outreach.channels.twilio.Twilio.send", _dies)
    with pytest.raises(ZeroDivisionError):
        case.send()
    monkeypatch.undo()
    assert case.message["state"] == "sending"
    with pytest.raises(LeaseLost, match="somebody else has claimed it"):
        case.send()
    assert case.reconcile() == "nothing to look for: it is sending"
    assert sending.tick() == "0 messages to look for"
    case.age(121)
    assert sending.tick() == "1 message to look for"
    waiting = page(OUTREACH_TIMEOUT.name, "waiting", limit=9).jobs
    [job] = [job for job in waiting if job.job == "reconcile_message"]
    assert job.job_id == f"reconcile_message:{case.message['_id']}"
    assert case.reconcile() == "it was not sent: it is sent again"
    assert case.send() == "sent"
    assert len(sandbox.inbox()) == 1


def _dies(*_: object) -> None:
    raise ZeroDivisionError


def test_an_answer_that_comes_after_the_claim_has_ended_still_counts(
    sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, send = Case("smtp"), Smtp.send

    def slowly(*args: object) -> object:
        answer = send(*args)  # type: ignore[arg-type]
        case.age(121)
        case.reconcile()
        assert case.message["state"] == "unknown"
        return answer

    monkeypatch.setattr(Smtp, "send", slowly)
    assert case.send() == "sent"
    assert case.message["state"] == "sent"
    assert "reconcile_due_at" not in case.message
    assert case.enrollment["sent_at"]
    assert (
        collection(ScheduledAction).count_documents({"status": {"$in": ["pending", "queued"]}}) == 1
    )
    assert collection(OutboundMessage).count_documents({}) == len(sandbox.inbox()) == 1
