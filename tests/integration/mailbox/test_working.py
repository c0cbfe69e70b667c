"""What rules do to mail, seen in the sandbox's truth, whatever dies in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from worked_mailbox import SHOP, USER, WorkedMailbox, dying_client

from models import Execution, Mailbox, Notification, Rule
from pipeline.errors import LeaseLost, Permanent, RateLimited, Transient, Unfinished
from pipeline.mailbox import holding, ledger, performing, rules, working
from pipeline.mailbox.deeds import MOVE, PATCH
from pipeline.mailbox.holding import held
from pipeline.stores import collection, redis_client

DRAFT = "POST /me/messages/{id}/createForward"
SEND = "POST /me/messages/{id}/send"


def test_a_rule_does_its_steps_once_and_says_what_they_were(box: WorkedMailbox) -> None:
    kept = box.sandbox.mail_folder_add(USER, "Kept")
    box.sync()
    box.rule(
        {"action_type": "categorize", "category": "Shop", "order": 1},
        {"action_type": "mark_read", "order": 2},
        {"action_type": "flag", "order": 3},
        {"action_type": "move", "to_folder": kept, "order": 4},
        {"action_type": "popup", "popup_message": "A sale!", "order": 5},
    )
    message_id = box.arrive(categories=["Mine"])
    box.sync()
    box.work()
    message = box.message(message_id)
    assert box.folder(message_id) == "Kept"
    assert message["categories"] == ["Mine", "Shop"]
    assert message["isRead"] is True
    assert message["flag"]["flagStatus"] == "flagged"
    assert box.execution("rule")["state"] == "done"
    [audited] = box.audited("rule_executed")
    assert [step["state"] for step in audited["steps"]] == ["done"] * 5
    assert audited["steps"][0]["before"] == {"categories": ["Mine"]}
    assert audited["undoable"] is True
    [rule] = collection(Rule).find()
    assert rule["stats"]["total_executions"] == 1
    assert collection(Notification).count_documents({"message": "A sale!"}) == 1
    box.sync()
    assert "0 executions" in box.work()
    Execution(**{n: v for n, v in box.execution("rule").items() if n != "_id"}, id="x").validate()


def test_a_step_whose_process_died_is_reconciled(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = box.folder_id("inbox")
    cases = (
        ("archive", MOVE, {"folder_id": inbox}),
        ("mark_read", PATCH, {"is_read": False}),
        ("categorize", PATCH, {"categories": ["Mine"]}),
    )
    for action, method, before in cases:
        sender = f"{action}@shop.example"
        box.rule({"action_type": action, "category": "Shop"}, sender=sender)
        for after in (False, True):
            message_id = box.arrive(sender, categories=["Mine"])
            box.sync()
            with box.dying(monkeypatch, method, after=after):
                box.work()
            assert box.executed(message_id)["steps"][0]["state"] == "doing"
            changed = box.message(message_id)["changeKey"]
            box.let_it_wait()
            box.work()
            assert (box.message(message_id)["changeKey"] == changed) is after
            assert box.executed(message_id)["state"] == "done"
            [audited] = [r for r in box.audited("rule_executed") if r["target_id"] == message_id]
            assert audited["steps"][0]["before"] == before


@pytest.mark.parametrize("action", ["categorize", "mark_read"])
def test_a_change_whose_answer_was_lost_is_the_rules_own(box: WorkedMailbox, action: str) -> None:
    box.rule({"action_type": action, "category": "Shop"})
    message_id = box.arrive(categories=["Mine"])
    box.sync()
    lost = {"api": "microsoft", "method": "*messages.update"}
    box.sandbox.fault("drop", match=lost, params={"after_bytes": 20})
    box.work()
    [step] = box.executed(message_id)["steps"]
    assert [fault["hits"] for fault in box.sandbox.faults()] == [1]
    assert step["state"] == "done"  # and not "already so", as if its user had been faster
    assert step["before"] == (
        {"is_read": False} if action == "mark_read" else {"categories": ["Mine"]}
    )
    box.sync()
    assert box.executed(message_id)["steps"][0]["observed"] is True


def test_mail_that_its_user_moved_after_a_crash_is_left_there(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.rule({"action_type": "archive"})
    message_id = box.arrive()
    box.sync()
    with box.dying(monkeypatch, MOVE, after=True):
        box.work()
    box.sandbox.mail_move(USER, message_id, "junkemail")
    box.let_it_wait()
    box.work()
    assert box.folder(message_id) == "junkemail"
    assert box.execution("rule")["state"] == "skipped"


def test_mail_that_its_user_filed_before_the_rule_got_to_it_stays_there(
    box: WorkedMailbox,
) -> None:
    box.rule({"action_type": "archive"}, {"action_type": "mark_read"})
    message_id = box.arrive()
    box.sync()
    box.sandbox.mail_move(USER, message_id, "junkemail")
    box.work()
    assert box.folder(message_id) == "junkemail"
    steps = box.executed(message_id)["steps"]
    assert [step["state"] for step in steps] == ["skipped", "done"]
    assert steps[0]["error"] == "the mail has been moved elsewhere"


def test_mail_that_was_changed_meanwhile_is_read_again(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.rule({"action_type": "categorize", "category": "Shop"})
    message_id = box.arrive()
    box.sync()

    class Interrupted(holding.MicrosoftClient):
        def call(self, method: str, **params: Any) -> Any:
            if method == PATCH and not box.message(message_id)["categories"]:
                box.sandbox.mail_patch(USER, message_id, {"categories": ["Hers"]})
            return super().call(method, **params)

    monkeypatch.setattr(holding, "MicrosoftClient", Interrupted)
    box.work()
    assert box.message(message_id)["categories"] == ["Hers", "Shop"]
    assert box.execution("rule")["steps"][0]["before"] == {"categories": ["Hers"]}


def test_what_speaks_against_it_at_that_moment_keeps_mail_as_it_is(box: WorkedMailbox) -> None:
    rule_id = box.rule({"action_type": "archive"})
    mails = [box.arrive() for _ in range(3)]
    box.sync()
    box.set_user(**{"preferences.automation_paused": True})
    assert "its user has paused automation" in box.work()
    waiting = list(collection(Execution).find())
    assert {(row["state"], row["attempts"]) for row in waiting} == {("pending", 0)}
    assert all(row["due_at"] > datetime.now(UTC) for row in waiting)
    day = datetime.now(UTC) - timedelta(hours=25)
    collection(Execution).update_one({"message_id": mails[0]}, {"$set": {"created_at": day}})
    box.let_it_wait()
    box.work()
    [late] = collection(Execution).find({"message_id": mails[0]})
    assert (late["state"], late["reason"]) == ("skipped", "automation was paused for too long")
    assert "due_at" not in late

    box.set_user(**{"preferences.automation_paused": False})
    whitelist = {"settings.whitelisted_senders": [SHOP], "work_due_at": datetime.now(UTC)}
    collection(Mailbox).update_one({}, {"$set": whitelist})
    collection(Execution).update_one({"message_id": mails[2]}, {"$set": {"attempts": 1}})
    box.work()
    [skipped] = collection(Execution).find({"message_id": mails[1]})
    assert (skipped["state"], skipped["reason"]) == ("skipped", "its sender is whitelisted")
    collection(Mailbox).update_one({}, {"$unset": {"settings.whitelisted_senders": ""}})
    rules.toggle(USER, rule_id, False, by=USER)
    box.let_it_wait()
    box.work()
    [disabled] = collection(Execution).find({"message_id": mails[2]})
    assert disabled["reason"] == "its rule is not enabled"
    assert {box.folder(message_id) for message_id in mails} == {"inbox"}
    assert box.audited("rule_executed") == []


def test_a_folder_that_is_gone_fails_with_the_reason_and_says_so(box: WorkedMailbox) -> None:
    kept = box.sandbox.mail_folder_add(USER, "Kept")
    box.sync()
    box.rule(
        {"action_type": "move", "to_folder": kept, "order": 0},
        {"action_type": "mark_read", "order": 1},
        name=f"Auto: Move from {SHOP}",
    )
    message_id = box.arrive()
    box.sync()
    box.sandbox.mail_folder_remove(USER, kept)
    box.work()
    failed = box.execution("rule")
    assert failed["state"] == "failed"
    assert failed["reason"] == "the folder that it is to be moved to is gone"
    assert failed["steps"][1]["state"] == "skipped"
    assert box.message(message_id)["isRead"] is False
    told = collection(Notification).find_one({"key": f"failed:{failed['_id']}"})
    assert told is not None
    assert "the folder that it is to be moved to is gone" in told["message"]
    assert SHOP not in told["message"]


def test_mail_that_is_gone_ends_it_quietly(box: WorkedMailbox) -> None:
    box.rule({"action_type": "archive"})
    message_id = box.arrive()
    box.sync()
    box.sandbox.mail_remove(USER, message_id)
    box.work()
    assert box.execution("rule")["reason"] == "the mail is gone"
    assert collection(Notification).count_documents({"type": "system"}) == 0


def test_what_is_already_so_is_not_ours_to_undo(box: WorkedMailbox) -> None:
    box.rule({"action_type": "mark_read"})
    box.arrive(isRead=True)
    box.sync()
    box.work()
    assert box.execution("rule")["reason"] == "already so"
    assert box.audited("rule_executed") == []
    [rule] = collection(Rule).find()
    assert not (rule.get("stats") or {}).get("total_executions")


def test_failures_that_pass_cost_attempts_and_waits_cost_none(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.rule({"action_type": "archive"})
    message_id = box.arrive()
    box.sync()
    error: list[Exception] = [RateLimited("slow down", retry_after_seconds=30)]

    class Failing(holding.MicrosoftClient):
        def call(self, method: str, **params: Any) -> Any:
            if method == MOVE:
                raise error[0]
            return super().call(method, **params)

    monkeypatch.setattr(holding, "MicrosoftClient", Failing)
    with pytest.raises(RateLimited):
        box.work()
    assert box.execution("rule")["attempts"] == 0
    error[0] = Transient("the network")
    for attempt in range(1, performing.MOST_ATTEMPTS + 1):
        box.let_it_wait()
        box.work()
        assert box.execution("rule")["attempts"] == attempt
    failed = box.execution("rule")
    assert (failed["state"], failed["reason"]) == ("failed", "the network")
    assert "due_at" not in failed
    assert box.folder(message_id) == "inbox"
    assert collection(Notification).count_documents({"type": "system"}) == 1


def test_what_was_done_at_last_although_no_answer_came_is_not_called_failed(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.rule({"action_type": "archive"}, {"action_type": "mark_read"})
    message_id = box.arrive()
    box.sync()
    collection(Execution).update_one({}, {"$set": {"attempts": performing.MOST_ATTEMPTS - 1}})

    class Silent(holding.MicrosoftClient):
        def call(self, method: str, **params: Any) -> Any:
            answer = super().call(method, **params)
            if method == MOVE:
                raise Transient("no answer came")
            return answer

    monkeypatch.setattr(holding, "MicrosoftClient", Silent)
    box.work()
    assert box.folder(message_id) == "archive"
    ended = box.execution("rule")
    assert [step["state"] for step in ended["steps"]] == ["done", "failed"]
    assert ended["state"] == "partial"
    assert box.audited("rule_executed")[0]["undoable"] is True


def test_what_waited_for_a_connection_too_long_is_not_done_to_old_mail(box: WorkedMailbox) -> None:
    box.rule({"action_type": "archive"})
    message_id = box.arrive()
    box.sync()
    day = datetime.now(UTC) - timedelta(hours=25)
    collection(Execution).update_one({}, {"$set": {"created_at": day}})
    collection(Mailbox).update_one({}, {"$set": {"is_connected": False}})
    box.work()
    assert box.execution("rule")["state"] == "pending"
    collection(Mailbox).update_one({}, {"$set": {"is_connected": True}})
    box.let_it_wait()
    box.work()
    ended = box.execution("rule")
    assert (ended["state"], ended["reason"]) == ("skipped", "it could not be done for too long")
    assert box.folder(message_id) == "inbox"


def test_mail_is_forwarded_once_whatever_dies(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.sandbox.add_user("bob")
    box.sandbox.open_mailbox("bob")
    [address] = {user.email for user in box.sandbox.users() if user.user == "bob"}
    box.rule({"action_type": "forward", "forward_to": [address]})
    for number, (method, after) in enumerate(((DRAFT, True), (SEND, False), (SEND, True))):
        message_id = box.arrive(internetMessageId=f"<{number}@shop.example>")
        box.sync()
        with box.dying(monkeypatch, method, after=after):
            box.work()
        box.let_it_wait()
        box.work()
        assert box.executed(message_id)["state"] == "done"
        assert len(box.sandbox.mail_messages("bob", "inbox")) == number + 1
    assert box.sandbox.mail_messages(USER, "drafts") == []
    # The same mail once more, by way of a list.
    again = box.arrive(internetMessageId="<2@shop.example>")
    box.sync()
    box.work()
    assert box.executed(again)["reason"] == "the same mail was forwarded a moment ago"
    assert len(box.sandbox.mail_messages("bob", "inbox")) == 3


def test_one_acts_on_a_mailbox_at_a_time_and_a_late_one_writes_nothing(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.rule({"action_type": "archive"})
    box.arrive()
    box.sync()
    with held(box.id) as hold:
        assert hold is not None
        with pytest.raises(Unfinished):
            box.work()
        [execution_id] = ledger.due(box.id, datetime.now(UTC), 10)
        late = ledger.claim(execution_id, hold.fence, datetime.now(UTC))
        assert late is not None
    box.let_it_wait()
    monkeypatch.setattr(holding, "MicrosoftClient", dying_client("nothing", after=False))
    box.work()
    with pytest.raises(LeaseLost):
        ledger.close(late, "failed", "late", datetime.now(UTC))
    assert box.execution("rule")["state"] == "done"


def test_the_tick_finds_each_mailbox_once_and_a_stranger_gets_nothing(box: WorkedMailbox) -> None:
    box.rule({"action_type": "archive"})
    for _ in range(3):
        box.arrive()
    box.sync()
    redis_client().flushdb()
    assert working.queue_due().startswith("1 queued")
    box.work()
    assert working.queue_due().startswith("0 queued, 0 queued before")
    with pytest.raises(Permanent):
        working.work("eve", box.id)
