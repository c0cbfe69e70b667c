"""Undo leads back to the state before, or says of what it could not; of two who ask one wins."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from worked_mailbox import USER, WorkedMailbox

from models import MailAudit
from pipeline.errors import Gone, Permanent
from pipeline.mailbox import staging, undo
from pipeline.mailbox.deeds import MOVE
from pipeline.stores import Row, collection


@pytest.fixture
def acted(box: WorkedMailbox) -> WorkedMailbox:
    """A mailbox with a rule that does four things."""
    kept = box.sandbox.mail_folder_add(USER, "Kept")
    box.sync()
    box.rule(
        {"action_type": "categorize", "category": "Shop", "order": 1},
        {"action_type": "mark_read", "order": 2},
        {"action_type": "flag", "order": 3},
        {"action_type": "move", "to_folder": kept, "order": 4},
    )
    return box


def act(box: WorkedMailbox) -> tuple[str, str]:
    """Have a mail acted upon; return its id and that of the entry in the audit."""
    message_id = box.arrive(categories=["Mine"])
    box.sync()
    box.work()
    return message_id, str(box.audited("rule_executed")[-1]["_id"])


def is_as_it_came(message: Row) -> bool:
    told = (message["categories"], message["isRead"], message["flag"]["flagStatus"])
    return told == (["Mine"], False, "notFlagged")


def test_undo_brings_back_all_that_a_rule_did(acted: WorkedMailbox) -> None:
    box = acted
    message_id, audit_id = act(box)
    done = undo.undo(USER, audit_id, USER)
    assert done.state == "undone"
    assert [one["step"] for one in done.results] == [3, 2, 1, 0]
    assert box.folder(message_id) == "inbox"
    assert is_as_it_came(box.message(message_id))
    row = collection(MailAudit).find_one({"action": "rule_executed"})
    assert row is not None
    assert (row["undo_state"], row["undone_by"]) == ("undone", USER)
    MailAudit(**{name: value for name, value in row.items() if name != "_id"}).validate()
    assert box.audited("undo_action")[0]["details"]["undone"] is True
    with pytest.raises(Permanent, match="undone already"):
        undo.undo(USER, audit_id, USER)
    with pytest.raises(Gone):
        undo.undo("eve", audit_id, "eve")
    with pytest.raises(Permanent, match="nothing of it"):
        undo.undo(USER, str(box.audited("undo_action")[0]["_id"]), USER)
    box.sync()
    box.work()
    assert box.folder(message_id) == "inbox"


def test_undo_leaves_what_its_user_has_changed_since(acted: WorkedMailbox) -> None:
    box = acted
    message_id, audit_id = act(box)
    box.sandbox.mail_patch(USER, message_id, {"categories": ["Shop", "Hers"], "isRead": False})
    box.sandbox.mail_move(USER, message_id, "archive")
    assert undo.undo(USER, audit_id, USER).state == "undone"
    assert box.message(message_id)["categories"] == ["Hers"]
    assert box.folder(message_id) == "inbox"


def test_an_undo_that_fails_in_part_says_so_and_may_be_tried_again(acted: WorkedMailbox) -> None:
    box = acted
    message_id, audit_id = act(box)
    refused = {"steps.2.before.flag": {"flagStatus": "never heard of"}}
    collection(MailAudit).update_one({"action": "rule_executed"}, {"$set": refused})
    done = undo.undo(USER, audit_id, USER)
    assert done.state == "partial"
    assert [one["state"] for one in done.results] == ["done", "failed", "done", "done"]
    assert box.folder(message_id) == "inbox"
    box.sandbox.mail_move(USER, message_id, "archive")
    right = {"steps.2.before.flag": {"flagStatus": "notFlagged"}}
    collection(MailAudit).update_one({"action": "rule_executed"}, {"$set": right})
    done = undo.undo(USER, audit_id, USER)
    assert done.state == "undone"
    assert sorted(one["state"] for one in done.results) == ["done"] * 4
    assert is_as_it_came(box.message(message_id))
    assert box.folder(message_id) == "archive"  # only what was left was tried again


def test_an_undo_says_that_what_was_sent_stays_sent(box: WorkedMailbox) -> None:
    box.sandbox.add_user("bob")
    box.sandbox.open_mailbox("bob")
    [address] = {user.email for user in box.sandbox.users() if user.user == "bob"}
    box.rule({"action_type": "forward", "forward_to": [address]}, {"action_type": "mark_read"})
    message_id, audit_id = act(box)
    done = undo.undo(USER, audit_id, USER)
    assert done.state == "partial"
    results = {one["step"]: (one["state"], one["error"]) for one in done.results}
    assert results == {1: ("done", ""), 0: ("failed", "what was sent cannot be taken back")}
    assert box.message(message_id)["isRead"] is False
    with pytest.raises(Permanent, match="what is left of it cannot be taken back"):
        undo.undo(USER, audit_id, USER)


def test_an_undo_of_mail_that_is_gone_is_partial(acted: WorkedMailbox) -> None:
    box = acted
    message_id, audit_id = act(box)
    box.sandbox.mail_remove(USER, message_id)
    done = undo.undo(USER, audit_id, USER)
    assert done.state == "partial"
    assert {one["error"] for one in done.results} == {"the mail is gone"}
    assert undo.undo(USER, audit_id, USER).state == "partial"
    assert len(box.audited("undo_action")) == 2


def test_an_undo_whose_process_died_is_carried_through(
    acted: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = acted
    for after in (False, True):
        message_id, audit_id = act(box)
        with box.dying(monkeypatch, MOVE, after=after):
            undo.undo(USER, audit_id, USER)
        with pytest.raises(Permanent, match="being undone"):
            undo.undo(USER, audit_id, USER)
        box.let_it_wait()
        box.work()
        assert box.audited("rule_executed")[-1]["undo_state"] == "undone"
        assert box.folder(message_id) == "inbox"
        assert is_as_it_came(box.message(message_id))


def test_what_was_staged_and_executed_comes_back_to_its_first_folder(box: WorkedMailbox) -> None:
    box.rule({"action_type": "delete"})
    mails = [box.stage()[0] for _ in range(3)]
    by_rule, staged = box.audited("rule_executed"), box.audited("email_staged")
    assert undo.undo(USER, str(by_rule[0]["_id"]), USER).state == "undone"
    assert undo.undo(USER, str(staged[1]["_id"]), USER).state == "undone"
    assert [box.staged(message_id)["status"] for message_id in mails[:2]] == ["rescued"] * 2
    staging.execute_now(USER, str(box.staged(mails[2])["_id"]), USER)
    assert box.folder(mails[2]) == "deleteditems"
    [executed] = box.audited("email_executed")
    assert undo.undo(USER, str(executed["_id"]), USER).state == "undone"
    assert {box.folder(message_id) for message_id in mails} == {"inbox"}
    # The rest of it is undone as well, whichever entry is asked for next.
    assert undo.undo(USER, str(staged[2]["_id"]), USER).state == "undone"


def test_what_is_old_cannot_be_undone_and_of_many_who_ask_one_wins(acted: WorkedMailbox) -> None:
    box = acted
    message_id, audit_id = act(box)
    old = datetime.now(UTC) - timedelta(hours=49)
    collection(MailAudit).update_one({"action": "rule_executed"}, {"$set": {"created_at": old}})
    with pytest.raises(Permanent, match="48 hours"):
        undo.undo(USER, audit_id, USER)
    fresh = {"created_at": datetime.now(UTC)}
    collection(MailAudit).update_one({"action": "rule_executed"}, {"$set": fresh})
    won: list[str] = []

    def ask() -> None:
        try:
            won.append(undo.undo(USER, audit_id, USER).state)
        except Permanent as refused:
            assert "cannot be undone" in str(refused)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert won == ["undone"]
    assert len(box.audited("undo_action")) == 1
    assert box.folder(message_id) == "inbox"
