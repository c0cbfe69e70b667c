"""Users who are set inactive: everything stops at once, and goes on where it stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from copies import CALENDAR, CONTACTS, GMAIL, TASKS, Copy
from landed_mail import LandedMail
from mail_items import mail_item

from models import MailAudit, Mailbox, SyncState, User
from pipeline.connect import connect_google
from pipeline.errors import LeaseLost, Permanent
from pipeline.jobs.reading import page
from pipeline.mailbox.observing import observe
from pipeline.stores import collection
from pipeline.sync import dispatcher, reauth, states
from pipeline.users import acting, activity
from pipeline.users.errors import NotNow, Unknown


def statuses() -> dict[str, str]:
    return {state["source"]: state["status"] for state in collection(SyncState).find()}


def change(source: str, **fields: Any) -> None:
    collection(SyncState).update_one({"source": source}, {"$set": fields})


def test_nothing_of_a_user_who_is_not_active_is_synced_until_they_are_again(copy: Copy) -> None:
    change(GMAIL, status="needs_reauth", next_due_at=None)
    change(TASKS, status="paused", next_due_at=None)
    running = states.claim("ada", CONTACTS, force=True)
    assert running is not None
    assert [activity.deactivate("ada", "eve"), activity.deactivate("ada", "eve")] == [True, False]
    with pytest.raises(LeaseLost):
        running.renew()
    held = {CALENDAR: "paused", CONTACTS: "paused", GMAIL: "needs_reauth", TASKS: "paused"}
    assert statuses() == held
    assert copy.state(CONTACTS)["last_error"]["message"] == "its user is not active"
    assert dispatcher.take_due(datetime.now(UTC)) == []
    assert not states.request("ada", CONTACTS, pushed=True)
    for act in (acting.sync_now, lambda user: acting.dry_run(user, CONTACTS)):
        with pytest.raises(NotNow, match="not active"):
            act("ada")
    with pytest.raises(Permanent, match="not active"):
        connect_google("ada", copy.sandbox.authorized_user("ada"))
    assert statuses() == held

    reauth.wait_for_user("ada", [CALENDAR], "its scope was taken back")
    assert [activity.activate("ada", "eve"), activity.activate("ada", "eve")] == [True, False]
    waits = {CALENDAR: "needs_reauth", GMAIL: "needs_reauth", TASKS: "paused"}
    assert statuses() == waits | {CONTACTS: "idle"}
    assert [job.job_id for job in page("data-sync", "waiting", limit=9).jobs] == [
        "sync:google_contacts:ada"
    ]
    assert copy.sync(CONTACTS).counts.created > 0
    assert connect_google("ada", copy.sandbox.authorized_user("ada"))


def test_a_repeated_act_does_what_the_first_was_killed_before(copy: Copy) -> None:
    collection(User).update_one({"_id": "ada"}, {"$set": {"is_active": False}})
    assert not activity.deactivate("ada", "eve")
    assert set(statuses().values()) == {"paused"}
    collection(User).update_one({"_id": "ada"}, {"$set": {"is_active": True}})
    assert not activity.activate("ada", "eve")
    assert set(statuses().values()) == {"idle"}
    assert len(dispatcher.take_due(datetime.now(UTC))) == 4
    with pytest.raises(Unknown):
        activity.deactivate("nobody", "eve")


def test_a_mailbox_rests_meanwhile_and_its_audit_says_why(stores: None) -> None:
    mail = LandedMail()
    mail.land(mail_item("m1"))
    activity.deactivate("ada", "eve")
    assert observe("ada", mail.mailbox_id).records == 0

    before = datetime.now(UTC)
    activity.activate("ada", "eve")
    state, box = collection(SyncState).find_one({}), collection(Mailbox).find_one({})
    assert state is not None
    assert box is not None
    assert state["projections"]["mailbox"]["due_at"] <= datetime.now(UTC)
    assert all(
        (box[name] - before).total_seconds() > -1 for name in ("watched_from", "work_due_at")
    )
    assert observe("ada", mail.mailbox_id).records > 0
    rows = collection(MailAudit).find({}).sort("created_at", 1)
    assert [(row["action"], row["actor"], row["details"]["reason"]) for row in rows] == [
        ("automation_paused", "eve", "its user is not active"),
        ("automation_resumed", "eve", "its user is active again"),
    ]
