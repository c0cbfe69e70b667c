"""Staged mail waits, is executed, or returned: mailbox and row agree, whoever is faster."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from bson import ObjectId
from worked_mailbox import SHOP, USER, WorkedMailbox

from models import Execution, Mailbox, Notification, StagedEmail
from pipeline.errors import Gone, Permanent, RateLimited, Unfinished
from pipeline.mailbox import holding, org_rules, performing, rules, staged_rows, staging, undo
from pipeline.mailbox.deeds import MOVE
from pipeline.stores import collection

STAGING = "Headrace Staging"
#: How often the two are started together; RACES=200 tries harder.
RACES = int(os.environ.get("RACES", "20"))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def work_all(box: WorkedMailbox) -> None:
    """Work until nothing is left."""
    while True:
        try:
            box.work()
        except Unfinished:
            continue
        return


@pytest.fixture
def staged(box: WorkedMailbox) -> WorkedMailbox:
    """A mailbox with a rule that deletes the shop's mail."""
    box.rule({"action_type": "delete"})
    return box


def test_deleted_mail_waits_first_and_is_then_executed(staged: WorkedMailbox) -> None:
    box = staged
    message_id, staged_id = box.stage()
    row = box.staged(message_id)
    StagedEmail(**{name: value for name, value in row.items() if name != "_id"}).validate()
    assert box.folder(message_id) == STAGING
    assert (row["status"], row["sender_email"]) == ("staged", SHOP)
    assert row["expires_at"] - row["staged_at"] == timedelta(hours=24)
    assert row["due_at"] == row["expires_at"] - timedelta(hours=2)
    assert "cleanup_at" not in row
    assert box.audited("email_staged")[0]["undoable"] is True
    [told] = collection(Notification).find({"type": "staging_alert"})
    assert told["message"] == "1 mail will be deleted by your rules unless you keep it."

    near = datetime.now(UTC) + timedelta(hours=1)
    past = datetime.now(UTC) - timedelta(minutes=1)
    collection(StagedEmail).update_one({}, {"$set": {"expires_at": near, "due_at": past}})
    box.work()
    reminded = box.staged(message_id)
    assert reminded["status"] == "staged"
    assert reminded["due_at"] == reminded["expires_at"]
    assert collection(Notification).count_documents({"priority": "high"}) == 1

    box.let_it_wait()
    box.work()
    row = box.staged(message_id)
    assert box.folder(message_id) == "deleteditems"
    assert row["status"] == "executed"
    assert row["cleanup_at"] > datetime.now(UTC)
    assert "due_at" not in row
    [audited] = box.audited("email_executed")
    assert audited["actor"] == "schedule"
    with pytest.raises(Permanent, match="executed already"):
        staging.rescue(USER, staged_id, USER)


def test_rescue_really_moves_mail_back(staged: WorkedMailbox) -> None:
    box = staged
    message_id, staged_id = box.stage()
    assert staging.rescue(USER, staged_id, USER) == (staged_id, "rescued", "")
    assert box.folder(message_id) == "inbox"
    assert box.audited("email_rescued")[0]["actor"] == USER
    with pytest.raises(Permanent, match="returned already"):
        staging.execute_now(USER, staged_id, USER)
    with pytest.raises(Gone):
        staging.rescue("eve", staged_id, "eve")
    with pytest.raises(Gone):
        staging.rescue(USER, "nonsense", USER)
    box.sync()
    box.work()
    assert box.folder(message_id) == "inbox"  # it is no new mail to the rule


def test_several_at_once_have_a_result_each(staged: WorkedMailbox) -> None:
    box = staged
    mails = [box.arrive() for _ in range(3)]
    box.sync()
    box.work()
    ids = [str(box.staged(message_id)["_id"]) for message_id in mails]
    staging.rescue(USER, ids[0], USER)
    box.sandbox.mail_move(USER, mails[1], "archive")
    outcomes = staging.execute_many(USER, [*ids, "nonsense"], USER)
    assert [one.status for one in outcomes] == ["refused", "expired", "executed", "refused"]
    assert [box.folder(message_id) for message_id in mails] == ["inbox", "archive", "deleteditems"]
    assert len(staging.listed(USER)) == 0
    assert len(staging.listed(USER, statuses=("executed", "rescued", "expired"))) == 3


def test_the_original_folder_being_gone_mail_returns_to_the_inbox(box: WorkedMailbox) -> None:
    lists = box.sandbox.mail_folder_add(USER, "Lists")
    box.sync()
    box.rule({"action_type": "delete"})
    message_id = box.sandbox.mail_add(
        USER, lists, {"from": {"emailAddress": {"address": SHOP}}, "subject": "Sale"}
    )
    box.sync()
    box.work()
    assert box.folder(message_id) == STAGING
    box.sandbox.mail_folder_remove(USER, lists)
    outcome = staging.rescue(USER, str(box.staged(message_id)["_id"]), USER)
    assert outcome.status == "rescued"
    assert box.folder(message_id) == "inbox"


def test_a_staging_folder_that_was_deleted_is_made_again(staged: WorkedMailbox) -> None:
    box = staged
    first, _ = box.stage()
    box.sandbox.mail_folder_remove(USER, box.folder_id(STAGING))
    second, _ = box.stage()
    assert box.folder(second) == STAGING
    assert collection(Mailbox).find_one({})["staging_folder_id"] == box.folder_id(STAGING)  # type: ignore[index]
    box.let_it_wait()
    box.work()
    assert box.staged(first)["status"] == "expired"
    assert box.folder(second) == "deleteditems"


def test_a_kill_switch_a_whitelist_and_a_rule_that_ends_keep_staged_mail(
    staged: WorkedMailbox,
) -> None:
    box = staged
    message_id, staged_id = box.stage()
    box.set_user(**{"preferences.automation_paused": True})
    box.let_it_wait()
    box.work()
    row = box.staged(message_id)
    assert (row["status"], box.folder(message_id)) == ("staged", STAGING)
    assert row["due_at"] > datetime.now(UTC)
    assert row["error"] == "its user has paused automation"
    with pytest.raises(Permanent, match="paused automation"):
        staging.execute_now(USER, staged_id, USER)
    # A pause that begins between claim and act gives it back.
    staged_rows.claim(USER, staged_id, "execute", "schedule", datetime.now(UTC))
    box.work()
    box.let_it_wait()
    box.work()
    assert (box.staged(message_id)["status"], box.folder(message_id)) == ("staged", STAGING)

    box.set_user(**{"preferences.automation_paused": False})
    collection(Mailbox).update_one({}, {"$set": {"settings.whitelisted_domains": ["shop.example"]}})
    box.let_it_wait()
    box.work()
    assert (box.staged(message_id)["status"], box.folder(message_id)) == ("rescued", "inbox")
    assert box.audited("email_rescued")[0]["details"]["because"] == "its sender is whitelisted"

    collection(Mailbox).update_one({}, {"$unset": {"settings.whitelisted_domains": ""}})
    again, again_id = box.stage()
    staged_rows.claim(USER, again_id, "execute", "schedule", datetime.now(UTC))
    rules.delete(USER, str(row["rule_id"]), by=USER)  # between claim and act: it is returned
    box.work()
    assert (box.staged(again)["status"], box.folder(again)) == ("rescued", "inbox")


def test_mail_of_which_the_execution_was_begun_in_vain_is_returned_once_that_is_forbidden(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    message_id, _ = box.stage()
    box.let_it_wait()
    with box.dying(monkeypatch, MOVE, after=False):
        box.work()
    assert box.staged(message_id)["status"] == "executing"
    box.set_user(**{"preferences.automation_paused": True})
    box.let_it_wait()
    box.work()
    assert box.staged(message_id)["status"] == "staged"  # so that its user may return it
    box.set_user(**{"preferences.automation_paused": False})
    box.let_it_wait()
    with box.dying(monkeypatch, MOVE, after=False):
        box.work()
    collection(Mailbox).update_one({}, {"$set": {"settings.whitelisted_senders": [SHOP]}})
    box.let_it_wait()
    box.work()
    assert box.folder(message_id) == "inbox"
    row = box.staged(message_id)
    assert (row["status"], row["error"]) == ("rescued", "its sender is whitelisted")


def test_what_cannot_be_executed_is_told_once_and_may_still_be_returned(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    message_id, staged_id = box.stage()

    class Refusing(holding.MicrosoftClient):
        def call(self, method: str, **params: Any) -> Any:
            if method == MOVE:
                raise Permanent("Microsoft will not")
            return super().call(method, **params)

    with monkeypatch.context() as context:
        context.setattr(holding, "MicrosoftClient", Refusing)
        box.let_it_wait()
        box.work()
        row = box.staged(message_id)
        assert (row["status"], row["error"]) == ("failed", "Microsoft will not")
        assert "due_at" not in row
        assert "cleanup_at" not in row
        assert staging.rescue(USER, staged_id, USER).status == "failed"
    told = collection(Notification).find({"type": "system"})
    assert {one["title"] for one in told} == {
        "Staged mail could not be deleted",
        "Staged mail could not be returned",
    }
    assert staging.rescue(USER, staged_id, USER).status == "rescued"
    assert box.folder(message_id) == "inbox"


def test_undo_returns_mail_that_could_not_be_executed_and_closes_its_row(
    staged: WorkedMailbox,
) -> None:
    box = staged
    message_id, _ = box.stage()
    collection(StagedEmail).update_one({}, {"$set": {"status": "failed"}, "$unset": {"due_at": ""}})
    done = undo.undo(USER, str(box.audited("email_staged")[0]["_id"]), USER)
    assert (done.state, box.folder(message_id)) == ("undone", "inbox")
    row = box.staged(message_id)
    assert row["status"] == "rescued"
    assert "cleanup_at" in row


def test_users_are_told_though_work_ends_half_way(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    moves: list[str] = []

    class Throttled(holding.MicrosoftClient):
        def call(self, method: str, **params: Any) -> Any:
            if method == MOVE:
                moves.append(method)
                if len(moves) > 1:
                    raise RateLimited("slow down", retry_after_seconds=30)
            return super().call(method, **params)

    monkeypatch.setattr(holding, "MicrosoftClient", Throttled)
    box.arrive()
    box.arrive()
    box.sync()
    with pytest.raises(RateLimited):
        box.work()
    [told] = collection(Notification).find({"type": "staging_alert"})
    assert "will be deleted by your rules" in told["message"]

    # One is to be reminded of, another to be executed, for which there is no quota.
    monkeypatch.undo()
    box.let_it_wait()
    collection(StagedEmail).delete_many({})
    box.work()
    soon, past = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(minutes=2)
    first, second = collection(StagedEmail).find_one({}) or {}, ObjectId()
    collection(StagedEmail).insert_one(first | {"_id": second, "message_id": "other"})
    of_first = {"expires_at": soon, "due_at": past - timedelta(minutes=1)}
    collection(StagedEmail).update_one({"_id": first["_id"]}, {"$set": of_first})
    collection(StagedEmail).update_one(
        {"_id": second}, {"$set": {"expires_at": past, "due_at": past}}
    )
    error = RateLimited("slow down", retry_after_seconds=30)
    monkeypatch.setattr(performing, "_perform", Mock(side_effect=error))
    with pytest.raises(RateLimited):
        box.work()
    assert collection(Notification).count_documents({"key": f"expiring:{box.id}:{first['_id']}"})


def test_a_tenants_rule_stages_too_and_its_end_returns_the_mail(box: WorkedMailbox) -> None:
    mailbox = collection(Mailbox).find_one({}) or {}
    rule_id = org_rules.create(
        mailbox["tenant_id"],
        name="No shops",
        conditions={"sender_email": SHOP},
        actions=[{"action_type": "delete"}],
        by="admin",
    )
    message_id, _ = box.stage()
    assert box.folder(message_id) == STAGING
    org_rules.delete(mailbox["tenant_id"], rule_id, by="admin")
    box.work()
    assert (box.staged(message_id)["status"], box.folder(message_id)) == ("rescued", "inbox")


def test_mail_is_executed_within_working_hours_only(staged: WorkedMailbox) -> None:
    box = staged
    message_id, staged_id = box.stage()
    hour = datetime.now(UTC).hour
    box.set_user(
        **{
            "preferences.working_hours_start": (hour + 5) % 24,
            "preferences.working_hours_end": (hour + 6) % 24,
        }
    )
    box.let_it_wait()
    box.work()
    row = box.staged(message_id)
    assert row["status"] == "staged"
    assert timedelta(hours=1) < row["due_at"] - datetime.now(UTC) < timedelta(hours=5)
    assert staging.execute_now(USER, staged_id, USER).status == "executed"


def test_staging_that_died_resumes_without_a_second_row(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    for after in (False, True):
        message_id = box.arrive()
        box.sync()
        with box.dying(monkeypatch, MOVE, after=after):
            box.work()
        left = {"due_at": {"$exists": True}}
        collection(Execution).update_many(left, {"$set": {"due_at": LONG_AGO}})
        box.work()
        assert box.folder(message_id) == STAGING
        assert collection(StagedEmail).count_documents({"message_id": message_id}) == 1
    assert len(box.audited("email_staged")) == 2


def test_what_was_moved_before_its_process_died_is_staged_whatever_was_set_since(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    message_id = box.arrive()
    box.sync()
    with box.dying(monkeypatch, MOVE, after=True):
        box.work()
    whitelist = {"settings.whitelisted_senders": [SHOP]}
    collection(Mailbox).update_one({}, {"$set": whitelist})
    collection(Execution).update_many({}, {"$set": {"due_at": LONG_AGO}})
    box.work()
    assert (box.staged(message_id)["status"], box.folder(message_id)) == ("staged", STAGING)
    assert len(box.audited("email_staged")) == 1
    box.let_it_wait()
    box.work()
    assert (box.staged(message_id)["status"], box.folder(message_id)) == ("rescued", "inbox")


def test_a_rescue_before_the_mail_was_moved_keeps_it(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    message_id = box.arrive()
    box.sync()
    with box.dying(monkeypatch, MOVE, after=False):
        box.work()
    staging.rescue(USER, str(box.staged(message_id)["_id"]), USER)
    box.let_it_wait()
    box.work()
    assert (box.staged(message_id)["status"], box.folder(message_id)) == ("rescued", "inbox")
    assert box.execution("rule")["state"] == "skipped"


def test_a_claim_whose_process_died_is_carried_through_by_the_worker(
    staged: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = staged
    expected = {
        staging.rescue: ("rescuing", "rescued", "inbox"),
        staging.execute_now: ("executing", "executed", "deleteditems"),
    }
    for act, (claimed, ended, folder) in expected.items():
        for after in (False, True):
            message_id, staged_id = box.stage()
            with box.dying(monkeypatch, MOVE, after=after):
                act(USER, staged_id, USER)
            assert box.staged(message_id)["status"] == claimed
            with pytest.raises(Permanent, match="already"):
                staging.rescue(USER, staged_id, USER)
            box.let_it_wait()
            box.work()
            assert (box.staged(message_id)["status"], box.folder(message_id)) == (ended, folder)
    assert len(box.audited("email_rescued")) == len(box.audited("email_executed")) == 2


def test_rescue_and_execute_started_together_one_wins(staged: WorkedMailbox) -> None:
    box = staged
    mails = [box.arrive() for _ in range(RACES)]
    box.sync()
    work_all(box)
    for message_id in mails:
        staged_id = str(box.staged(message_id)["_id"])
        won: list[str] = []
        start = threading.Barrier(2)

        def ask(act: object, staged_id: str, won: list[str], start: threading.Barrier) -> None:
            assert callable(act)
            start.wait()
            try:
                won.append(act(USER, staged_id, USER).status)
            except Permanent as refused:
                assert "already" in str(refused)

        asking = [
            threading.Thread(target=ask, args=(act, staged_id, won, start))
            for act in (staging.rescue, staging.execute_now)
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert won == [box.staged(message_id)["status"]]
        assert box.folder(message_id) == {"rescued": "inbox", "executed": "deleteditems"}[won[0]]
    assert len(box.audited("email_rescued") + box.audited("email_executed")) == RACES
    assert collection(Execution).count_documents({"due_at": {"$exists": True}}) == 0
