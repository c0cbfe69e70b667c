"""A rule run on mail that is there: its folder only, through the staging folder, undoable."""

from __future__ import annotations

import pytest
from worked_mailbox import USER, WorkedMailbox

from models import Execution, Rule
from pipeline.errors import Permanent
from pipeline.mailbox import rules, run_now, undo
from pipeline.stores import collection


def test_a_rule_acts_on_what_is_there_once(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [box.arrive(subject=f"Sale {number}") for number in range(3)]
    other = box.arrive(sender="bob@work.example")
    elsewhere = box.arrive()
    box.sandbox.mail_move(USER, elsewhere, "archive")
    box.sync()
    rule_id = box.rule({"action_type": "delete"}, {"action_type": "popup", "popup_message": "!"})
    came = box.arrive()
    box.sync()
    box.work()
    assert box.folder(came) == "Headrace Staging"
    box.sandbox.mail_move(USER, came, "inbox")
    box.sync()

    monkeypatch.setattr(run_now, "MOST_AT_ONCE", 2)
    started = run_now.run_now(USER, box.id, rule_id, USER)
    assert started.mails == 2
    assert started.job_id == f"work_mailbox:{USER}:{box.id}"
    box.work()
    box.sync()
    assert run_now.run_now(USER, box.id, rule_id, USER).mails == 1
    assert run_now.run_now(USER, box.id, rule_id, USER) == (0, "")
    box.work()
    assert {box.folder(message_id) for message_id in old} == {"Headrace Staging"}
    kept = [box.folder(message_id) for message_id in (other, elsewhere, came)]
    assert kept == ["inbox", "archive", "inbox"]
    assert [row["details"]["count"] for row in box.audited("rules_run")] == [2, 1, 0]

    [entry] = [r for r in box.audited("rule_executed") if r["target_id"] == old[0]]
    assert undo.undo(USER, str(entry["_id"]), USER).state == "undone"
    assert box.folder(old[0]) == "inbox"
    [rule] = collection(Rule).find()
    assert rule["stats"]["total_executions"] == 4
    assert collection(Execution).count_documents({"kind": "run_now", "state": "partial"}) == 0
    rules.toggle(USER, rule_id, False, by=USER)
    with pytest.raises(Permanent, match="not enabled"):
        run_now.run_now(USER, box.id, rule_id, USER)
    with pytest.raises(Permanent, match="another user"):
        run_now.run_now("eve", box.id, rule_id, "eve")
