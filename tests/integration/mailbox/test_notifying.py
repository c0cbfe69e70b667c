"""Users are told each thing once, whatever is repeated, and what grows grows in one place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_client import caller
from landed_mail import LandedMail

from models import Execution, Mailbox, Notification, StagedEmail, Subscription, SyncState
from pipeline.mailbox import notifying, warning
from pipeline.mailbox.reading.staged import staged
from pipeline.stores import collection

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def mail(stores: None) -> LandedMail:
    return LandedMail()


def mailbox() -> dict[str, Any]:
    row = collection(Mailbox).find_one({})
    assert row is not None
    return row


def staged_row(mailbox_id: str) -> dict[str, Any]:
    row = {"mailbox_id": mailbox_id, "status": "staged", "message_id": "m", "rule_id": "r"}
    return row | {"original_folder": "inbox", "staged_at": NOW, "expires_at": NOW}


def titles(user_id: str = "ada") -> list[str]:
    return [row["title"] for row in notifying.listed(user_id)]


def test_a_thing_is_told_once_to_who_is_there(mail: LandedMail) -> None:
    for first in (True, False):
        told = notifying.notify("ada", "system", "k", "Title", "Text", related=("rule", "r"))
        assert told is first
    assert notifying.notify("nobody", "system", "k", "Title", "Text") is False
    [row] = notifying.listed("ada")
    Notification(**{name: value for name, value in row.items() if name != "_id"}).validate()
    assert row["tenant_id"] == "acme"
    assert notifying.mark_read("bob", [str(row["_id"])]) == 0
    assert notifying.mark_read("ada") == 1
    assert notifying.listed("ada", unread_only=True) == []
    assert notifying.listed("ada", before=row["created_at"]) == []

    assert notifying.retell("ada", "system", "k", "Title", "Text") is False
    assert notifying.unread_count("ada") == 0
    assert notifying.retell("ada", "system", "k", "Title", "Text, more", again=False)
    assert notifying.unread_count("ada") == 0
    assert notifying.retell("ada", "system", "k", "Title", "Text, and more")
    assert notifying.unread_count("ada") == 1
    assert len(notifying.listed("ada")) == 1


def test_what_rules_do_in_a_day_is_one_notification(mail: LandedMail) -> None:
    def executed(number: int, at: datetime) -> None:
        row = {"_id": f"rule:r:m{number}", "user_id": "ada", "kind": "rule", "state": "done"}
        collection(Execution).insert_one(row | {"created_at": at, "steps": []})
        warning.rule_executed(mailbox(), at)
        warning.rule_executed(mailbox(), at)

    noon = NOW.replace(hour=12)
    executed(1, noon)
    executed(2, noon)
    [row] = notifying.listed("ada")
    assert row["message"] == "Your rules have acted on 2 mails today."
    executed(3, noon + timedelta(days=1))
    assert len(notifying.listed("ada")) == 2


def test_a_stall_is_told_once_and_the_next_one_again(mail: LandedMail) -> None:
    states = collection(SyncState)
    states.update_one({}, {"$set": {"stale_at": NOW - timedelta(hours=1), "status": "error"}})
    assert warning.tick(NOW) == 0
    states.update_one({}, {"$set": {"stale_at": NOW - timedelta(hours=7)}})
    assert [warning.tick(NOW), warning.tick(NOW)] == [1, 0]
    states.update_one({}, {"$set": {"stale_at": NOW - timedelta(hours=6, minutes=5)}})
    assert warning.tick(NOW) == 1
    states.update_one(
        {}, {"$set": {"stale_at": NOW - timedelta(hours=8), "status": "needs_reauth"}}
    )
    assert warning.tick(NOW) == 0
    assert titles() == ["Your mailbox is not up to date"] * 2


def test_pushes_that_keep_failing_are_told_once(mail: LandedMail) -> None:
    row = {
        "_id": "s1", "user_id": "ada", "mailbox_id": mail.mailbox_id, "source": "microsoft_mail",
        "status": "failed", "error_count": 1, "last_error": {"at": NOW},
    }  # fmt: skip
    collection(Subscription).insert_one(row)
    assert warning.tick(NOW) == 0
    collection(Subscription).update_one({}, {"$set": {"error_count": 3}})
    assert [warning.tick(NOW), warning.tick(NOW)] == [1, 0]
    assert titles() == ["New mail is noticed later"]


def test_staged_mail_that_nobody_looks_at_is_told_of_after_a_week(mail: LandedMail) -> None:
    warning.staged(mailbox(), NOW - timedelta(days=8))
    warning.staged(mailbox(), NOW)
    assert warning.tick(NOW) == 0  # none waits any more
    assert "staging_unseen_since" not in mailbox()

    collection(StagedEmail).insert_one(staged_row(mail.mailbox_id))
    warning.staged(mailbox(), NOW - timedelta(days=8))
    assert [warning.tick(NOW), warning.tick(NOW)] == [1, 0]
    assert warning.tick(NOW + timedelta(days=7)) == 1
    [row, _] = notifying.listed("ada")
    assert row["type"] == "inactivity_warning"
    looks = caller("mailboxes:read")
    shown = f"mailboxes/{mail.mailbox_id}/staged"
    staged(mailbox(), "staged", 10)  # as operators do
    assert looks.get(shown, params={"status": "executed"}).status_code == 200
    assert "staging_unseen_since" in mailbox()
    assert looks.get(shown).status_code == 200
    assert "staging_unseen_since" not in mailbox()
    assert warning.tick(NOW + timedelta(days=30)) == 0
