"""A worker is killed between any two side effects of a send: the message still goes out once."""

from __future__ import annotations

from datetime import timedelta

import outreach_rows as rows
import pytest
from dying_job import killed
from sending_rows import Case

from models import ScheduledAction
from pipeline.errors import LeaseLost
from pipeline.outreach import pacing, promoting, sending
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

PACKAGE = "pipeline.outreach.sending"
SEND, RECONCILE = f"{PACKAGE}:send", f"{PACKAGE}:reconcile"
#: Where a job is killed, and whether the provider has the message by then.
POINTS = [
    (f"{PACKAGE}.handing_over:_take_budget", "after", False),
    (f"{PACKAGE}.claiming:_hold_enrollment", "after", False),
    (f"{PACKAGE}.handing_over:claim", "after", False),
    (f"{PACKAGE}.handing_over:_last_look", "after", False),
    ("pipeline.outreach.channels.twilio:Twilio.send", "after", True),
    (f"{PACKAGE}.ledger:sent", "after", True),
    (f"{PACKAGE}.outcomes:advance", "after", True),
    (f"{PACKAGE}.outcomes:nudge", "before", True),
]


def go_on(case: Case) -> None:
    """Do what ticks and their jobs do once claims and jobs count as lost."""
    long_ago = rows.now() - timedelta(hours=1)
    late = {"queued_at": long_ago, "due_at": long_ago}
    collection(ScheduledAction).update_many({"status": "queued"}, {"$set": late})
    case.age(500)
    promoting.promote()
    sending.tick()
    if case.message.get("state") in ("sending", "unknown"):
        case.reconcile()
    pacing.pace(case.sender_id)
    if case.action["status"] == "queued":
        case.send()


@pytest.mark.long
@pytest.mark.parametrize(("point", "when", "is_taken"), POINTS)
def test_a_send_that_is_killed_anywhere_happens_once(
    sandbox: SandboxClient, point: str, when: str, is_taken: bool
) -> None:
    case = Case("twilio")
    pacing.pace(case.sender_id)
    killed(point, when, SEND, case.action_id, case.sender_id)
    assert len(sandbox.inbox()) == is_taken
    go_on(case)
    assert len(sandbox.inbox()) == 1
    assert (case.message["state"], case.action["status"]) == ("sent", "completed")
    assert case.enrollment["sent_at"]
    assert len(case.actions("pending", "queued", kind="timeout")) == 1
    with pytest.raises(LeaseLost):
        case.send()


@pytest.mark.long
def test_mail_whose_worker_was_killed_is_sent_again_by_nobody_but_a_person(
    sandbox: SandboxClient,
) -> None:
    case = Case("smtp")
    point = "pipeline.outreach.channels.smtp:Smtp.send"
    killed(point, "after", SEND, case.action_id, case.sender_id)
    go_on(case)
    go_on(case)
    assert case.message["state"] == "unknown"
    assert len(sandbox.inbox()) == 1
    sending.resolve(rows.TENANT, case.message["_id"], sent=True, by=rows.BY)
    assert (case.message["state"], case.action["status"]) == ("sent", "completed")


@pytest.mark.long
@pytest.mark.parametrize(
    ("point", "is_taken"),
    [
        ("ledger:unknown", True),
        ("reconciling:_asked", True),
        ("reconciling:_asked", False),
        ("reconciling:proven", True),
        ("ledger:not_sent", False),
    ],
)
def test_a_search_that_is_killed_is_begun_again(
    sandbox: SandboxClient, point: str, is_taken: bool
) -> None:
    case = Case("twilio")
    provider = "pipeline.outreach.channels.twilio:Twilio.send"
    when = "after" if is_taken else "before"
    killed(provider, when, SEND, case.action_id, case.sender_id)
    case.age(200)
    killed(f"{PACKAGE}.{point}", "after", RECONCILE, case.message["_id"])
    go_on(case)
    assert case.message["state"] == "sent"
    assert len(sandbox.inbox()) == 1
