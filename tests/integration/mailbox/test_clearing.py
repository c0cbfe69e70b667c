"""A mailbox that is left has nothing of ours in it any more."""

from __future__ import annotations

import pytest
from worked_mailbox import SHOP, USER, WorkedMailbox

from models import Mailbox, StagedEmail
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.connect import connect_microsoft
from pipeline.mailbox import staged_rows
from pipeline.mailbox.deeds import MOVE
from pipeline.stores import collection
from pipeline.users import erasing, leaving

RULES = "GET /me/mailFolders/{id}/messageRules"


def inbox_rules() -> int:
    with MicrosoftClient.for_user(USER) as client:
        return len(client.call(RULES, id="inbox")["value"])


@pytest.fixture
def staged(box: WorkedMailbox) -> list[str]:
    """Mail that waits, of which one is being executed, and a mirrored rule."""
    box.rule({"action_type": "delete"})
    box.rule({"action_type": "archive"}, sender="news@lists.example")
    collection(Mailbox).update_one({}, {"$set": {"settings.mirror_rules": True}})
    return [box.arrive() for _ in range(3)]


def test_a_disconnect_returns_staged_mail_and_removes_inbox_rules(
    box: WorkedMailbox, staged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    box.sync()
    box.work()
    assert inbox_rules() == 1
    with box.dying(monkeypatch, MOVE, after=False):
        staged_id = str(box.staged(staged[0])["_id"])
        now = box.staged(staged[0])["staged_at"]
        staged_rows.claim(USER, staged_id, "execute", USER, now)
        box.work()
    assert box.staged(staged[0])["status"] == "executing"
    leaving.disconnect(USER, "microsoft", "ops")
    assert [box.folder(message_id) for message_id in staged] == ["inbox"] * 3
    rows = list(collection(StagedEmail).find())
    assert {(row["status"], row["error"]) for row in rows} == {
        ("rescued", "the mailbox was disconnected")
    }
    assert len(box.audited("email_rescued")) == 3
    assert "mirrored" not in (collection(Mailbox).find_one({}) or {})
    connect_microsoft(USER, box.sandbox.microsoft_grant(USER))
    assert inbox_rules() == 0


def test_an_erasure_returns_staged_mail_first(box: WorkedMailbox, staged: list[str]) -> None:
    box.sync()
    box.work()
    assert box.folder(staged[0]) != "inbox"
    assert erasing.erase(USER, "ops").complete
    assert [box.folder(message_id) for message_id in staged] == ["inbox"] * 3
    assert SHOP in str(box.message(staged[0]))
