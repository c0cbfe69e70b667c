"""Subscriptions to a sandbox mailbox: made, prolonged, lost and replaced; told of changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pushed import Pushed, jobs, no_jobs
from waiting import wait_until

from models import Subscription, SyncState, WebhookDelivery
from pipeline import push
from pipeline.connect import connect_microsoft
from pipeline.projections import graph
from pipeline.push.microsoft_mail import CEILING
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection, redis_client
from pipeline.sync import engine
from pipeline.verify import verify

MAIL = "microsoft_mail"
_PUSH = ("push_attempts", "push_backoff_seconds", "microsoft_subscription_minutes")


@dataclass
class Box(Pushed):
    """A mailbox that is pushed to us."""

    def row(self) -> Row:
        """Return the one subscription that is active."""
        [row] = self.rows(MAIL, status="active")
        return row

    def theirs(self) -> list[str]:
        """Return the names of what Microsoft pushes for this user."""
        return [watch["name"] for watch in self.watches() if watch["api"] == "microsoft"]

    def renew(self) -> str:
        """Let the subscription be due for renewal, and look at it."""
        self.change(MAIL, retry_at=datetime.now(UTC))
        return self.subscribe(MAIL)

    def idle(self) -> None:
        """Let nothing be due but what is pushed."""
        never = {"next_due_at": None, "status": "idle", "requested_at": None}
        collection(SyncState).update_many({"user_id": self.user_id}, {"$set": never})


def connected_box(sandbox: SandboxClient, user_id: str) -> Box:
    connect_microsoft(user_id, sandbox.microsoft_grant(user_id))
    box = Box(user_id, sandbox)
    box.sync(MAIL)
    return box


@pytest.fixture
def box(sandbox: SandboxClient, address: str, setting: Any) -> Iterator[Box]:
    """A mailbox, synced and subscribed to."""
    setting(PUBLIC_BASE_URL=address)
    before = sandbox.settings()
    sandbox.settings(push_attempts=3, push_backoff_seconds=0.01)
    sandbox.add_user("mia")
    sandbox.open_mailbox("mia")
    box = connected_box(sandbox, "mia")
    assert box.subscribe(MAIL) == "1 made"
    no_jobs()
    yield box
    sandbox.clear_faults()
    sandbox.settings(**{name: before[name] for name in _PUSH})


def settle() -> None:
    """Do all jobs that notifications lead to, until there are none."""
    while notifications := jobs("notification"):
        no_jobs()
        for (subscription_id,) in notifications:
            push.act_on(subscription_id)
        for user_id, source, _mailbox_id in jobs("delta_sync"):
            engine.sync(user_id, source)


def test_a_subscription_is_made_and_prolonged(box: Box) -> None:
    row, now = box.row(), datetime.now(UTC)
    assert (row["resource"], row["change_type"]) == ("me/messages", "created,updated,deleted")
    assert row["lifecycle_target"] == row["target"]
    assert box.theirs() == [row["resource_id"]]
    assert row["mailbox_id"] == box.state(MAIL)["mailbox_id"]
    assert timedelta(hours=71) < row["expires_at"] - now < timedelta(hours=73)
    # Renewed when under half of its life.
    assert timedelta(hours=32) < row["retry_at"] - now < timedelta(hours=36.1)
    assert box.subscribe(MAIL) == "nothing to do"
    box.age(timedelta(hours=40), MAIL)
    assert box.subscribe(MAIL) == "1 renewed"
    renewed = box.row()
    assert (renewed["_id"], renewed["resource_id"]) == (row["_id"], row["resource_id"])
    assert renewed["expires_at"] >= row["expires_at"]
    assert box.state(MAIL)["live_push_until"] == renewed["expires_at"]


def test_the_longest_life_is_learnt_from_a_refusal(box: Box) -> None:
    box.sandbox.settings(microsoft_subscription_minutes=600)
    assert box.renew() == "1 renewed"
    life = box.row()["expires_at"] - datetime.now(UTC)
    assert timedelta(minutes=595) < life <= timedelta(minutes=600)
    assert redis_client().get(CEILING) == b"600"
    box.sandbox.clear_usage()
    assert box.renew() == "1 renewed"
    assert box.calls("subscriptions.update") == 1
    assert box.row()["retry_at"] - datetime.now(UTC) < timedelta(minutes=301)


def test_one_that_is_gone_is_replaced_and_what_was_missed_is_looked_for(box: Box) -> None:
    first = box.row()
    box.sandbox.mail_lifecycle(box.user_id, "subscriptionRemoved")
    box.sandbox.clear_pushes()  # we are not told
    box.idle()
    box.renew()
    second = box.row()
    assert second["resource_id"] != first["resource_id"]
    assert box.theirs() == [second["resource_id"]]
    assert box.state(MAIL)["next_due_at"] is not None
    # Nor does one stay that cannot be prolonged for another reason.
    box.sandbox.fault("status", match={"method": "subscriptions.update"}, params={"code": 400})
    box.renew()
    assert box.theirs() == [box.row()["resource_id"]] != [second["resource_id"]]


def test_one_in_the_way_that_nobody_knows_is_deleted(box: Box) -> None:
    lost = box.row()["resource_id"]
    collection(Subscription).delete_many({})
    assert box.subscribe(MAIL) == "1 made"
    assert box.theirs() == [box.row()["resource_id"]] != [lost]


def test_a_mailbox_of_two_users_is_pushed_to_the_first(box: Box) -> None:
    grant = box.sandbox.microsoft_grant(box.user_id)
    connect_microsoft("max", grant)
    other = Box("max", box.sandbox)
    other.sync(MAIL)
    assert other.subscribe(MAIL) == "1 refused"
    [row] = other.rows(MAIL)
    assert row["status"] == "failed"
    assert "another user has connected this mailbox" in row["last_error"]["message"]
    assert box.theirs() == [box.row()["resource_id"]]


def test_news_of_the_subscription_lead_to_a_live_one(box: Box) -> None:
    first = box.row()
    for event in ("reauthorizationRequired", "subscriptionRemoved", "missed"):
        box.idle()
        assert box.sandbox.mail_lifecycle(box.user_id, event) == 1
        box.sandbox.wait_until_quiet()
        wait_until(lambda: jobs("notification"), "the notification's job")
        push.act_on(box.row()["_id"])
        assert box.state(MAIL)["next_due_at"] is not None
        no_jobs()
        box.subscribe(MAIL)
    assert box.row()["resource_id"] != first["resource_id"]
    assert box.theirs() == [box.row()["resource_id"]]


def test_it_is_deleted_when_the_user_leaves(box: Box) -> None:
    assert push.stop_all(box.user_id, "microsoft") == 0
    assert (box.theirs(), box.statuses(MAIL)) == ([], ["stopped"])


def test_whatever_becomes_of_notifications_the_copy_is_the_same(box: Box) -> None:
    box.idle()
    sandbox, user_id = box.sandbox, box.user_id
    sandbox.fault("push_duplicate", match={"api": "microsoft"}, times=100)
    sandbox.fault("push_reorder", match={"api": "microsoft"}, times=4, params={"seconds": 0.05})
    sandbox.fault("push_wrong_token", match={"api": "microsoft"}, times=2)
    mails = [sandbox.mail_add(user_id, "inbox", {"subject": f"Mail {n}"}) for n in range(8)]
    for mail in mails[:4]:
        sandbox.mail_patch(user_id, mail, {"isRead": True})
        sandbox.mail_move(user_id, mail, "archive")
    sandbox.mail_remove(user_id, mails[7])
    sandbox.wait_until_quiet()
    wait_until(lambda: jobs("notification"), "the notifications' jobs")
    settle()
    graph.advance(user_id)
    assert verify(user_id, sandbox).examples == []
    assert collection(WebhookDelivery).find_one({"open": True}) is None
    # What is lost is found by the look that comes within a quarter of an hour.
    sandbox.clear_faults()
    sandbox.fault("push_lose", match={"api": "microsoft"}, times=100)
    sandbox.mail_move(user_id, mails[5], "deleteditems")
    sandbox.wait_until_quiet()
    settle()
    report = box.sync(MAIL)
    assert report.counts.updated == 1
    assert box.state(MAIL)["next_due_at"] - datetime.now(UTC) < timedelta(minutes=15)
    graph.advance(user_id)
    assert verify(user_id, sandbox).examples == []
