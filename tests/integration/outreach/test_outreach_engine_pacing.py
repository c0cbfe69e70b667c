"""A sender's line moves as fast as the sender may send, and each message is due on the moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import outreach_rows as rows
import pytest
from outreach_rows import BY, TENANT, plan, send

from models import Contact, ScheduledAction, SenderIdentity
from pipeline.jobs.entries import Entry
from pipeline.jobs.reading import page
from pipeline.outreach import campaigns, pacing, promoting
from pipeline.outreach.advancing import Wake
from pipeline.queues import job_named
from pipeline.stores import collection

pytestmark = pytest.mark.usefixtures("stores")


def test_no_more_become_jobs_than_their_sender_may_send() -> None:
    rows.sender(limits={"per_minute": 3})
    campaign = rows.campaign(plan(send("first")), rows.contacts(5))
    assert pacing.pace("sender-1") == "3 messages queued"
    assert len(rows.actions(campaign, ["queued"])) == 3
    assert pacing.pace("sender-1") == "0 messages queued"
    waiting = rows.actions(campaign, ["pending"])
    assert ["its turn comes" in one["because"] for one in waiting] == [True, True]
    assert len(_jobs("send_message")) == 3
    assert any(job.job_id.startswith("pace_sender:sender-1:") for job in _jobs("pace_sender"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_paused": True}, "its sender is paused"),
        ({"status": "failing"}, "its sender is failing"),
        ({"hold_until": rows.now() + timedelta(hours=1)}, "the provider asked its sender to wait"),
    ],
)
def test_a_line_that_is_held_says_why(change: dict[str, Any], why: str) -> None:
    campaign = rows.campaign(plan(send("first")), rows.contacts(2))
    collection(SenderIdentity).update_one({"_id": "sender-1"}, {"$set": change})
    assert pacing.pace("sender-1") == f"held: {why}"
    assert {one["because"] for one in rows.actions(campaign, ["pending"])} == {why}
    assert _jobs("send_message") == []


def test_what_is_due_in_a_moment_is_a_job_for_that_moment(setting: Callable[..., None]) -> None:
    setting(OUTREACH_EMAIL_PER_MINUTE=1000)
    soon = plan(send("first", schedule={"delay": "PT5S"}))
    campaign = rows.campaign(soon, rows.contacts(2))
    assert pacing.pace("sender-1") == "0 messages queued"
    [again] = [job for job in _jobs("pace_sender") if job.state == "delayed"]
    assert again.due_at is not None
    assert timedelta(seconds=1.5) < again.due_at - rows.now() < timedelta(seconds=5)

    at = rows.now() + timedelta(seconds=1)
    collection(ScheduledAction).update_many({}, {"$set": {"due_at": at}})
    promoting.nudge(Wake(frozenset(["sender-1"])))
    assert pacing.pace("sender-1") == "2 messages queued"
    due = [job.due_at for job in _jobs("send_message")]
    assert all(one and abs(one - at) < timedelta(seconds=0.2) for one in due)
    assert len(rows.actions(campaign, ["queued"])) == 2


def test_who_has_quiet_hours_waits_until_they_end() -> None:
    now = rows.now()
    hours = {"start": f"{now:%H}:00", "end": f"{now + timedelta(hours=2):%H}:00"}
    here, there = *rows.contacts(), *rows.contacts(prefix="far", time_zone="Etc/GMT-12")
    campaign = rows.campaign(plan(send("first"), quietHours=hours), [here, there])
    waits, goes = rows.actions(campaign, contact_id=here), rows.actions(campaign, contact_id=there)
    assert waits[0]["due_at"].minute == 0
    assert waits[0]["due_at"] > now
    assert goes[0]["due_at"] <= rows.now()
    # Who was due then, and is late, is looked at again.
    collection(ScheduledAction).update_many({}, {"$set": {"due_at": now}})
    assert pacing.pace("sender-1") == "1 message queued, 1 put off"
    [late] = rows.actions(campaign, ["pending"])
    assert (late["contact_id"], late["because"]) == (here, "quiet hours")
    assert late["due_at"] == waits[0]["due_at"]
    assert collection(Contact).count_documents({}) == 2


def test_nothing_of_a_paused_campaign_becomes_a_job() -> None:
    held = rows.campaign(plan(send("first")), rows.contacts(2))
    goes = rows.campaign(plan(send("first")), rows.contacts(prefix="others"))
    campaigns.pause(TENANT, held, by=BY)
    assert pacing.pace("sender-1") == "1 message queued, 2 put off"
    assert (len(rows.actions(held, ["pending"])), len(rows.actions(goes, ["queued"]))) == (2, 1)
    assert (held,) in [job.arguments for job in _jobs("settle_campaign")]


def _jobs(name: str) -> list[Entry]:
    """Return the jobs of a name that are still to run."""
    jobs = page(job_named(name).queue.name, None, limit=100).jobs
    return [job for job in jobs if job.job == name]
