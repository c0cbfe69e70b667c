"""Inbox rules at Microsoft are what ours say, as long as that is asked for and allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from worked_mailbox import SHOP, USER, Crash, WorkedMailbox, dying_client

from models import Execution, Mailbox, Rule
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.mailbox import holding, mirroring, rules
from pipeline.stores import collection

RULES = "/me/mailFolders/{id}/messageRules"


def at_microsoft() -> list[dict[str, Any]]:
    with MicrosoftClient.for_user(USER) as client:
        return list(client.call(f"GET {RULES}", id="inbox")["value"])


def set_mailbox(**fields: Any) -> None:
    collection(Mailbox).update_one({}, {"$set": {f"settings.{n}": v for n, v in fields.items()}})


def differing() -> int:
    return len(list(mirroring.differing(datetime.now(UTC))))


def test_inbox_rules_follow_ours(box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    rule_id = box.rule({"action_type": "archive"}, {"action_type": "mark_read"})
    staged = box.rule({"action_type": "delete"}, sender="spam@shop.example")
    domain = rules.create(
        *(USER, box.id),
        name="Domain",
        conditions={"sender_domain": "lists.example"},
        actions=[{"action_type": "archive"}],
        by=USER,
    )
    box.work()
    assert at_microsoft() == []

    set_mailbox(mirror_rules=True)
    assert differing() == 1
    with monkeypatch.context() as context:
        # The process dies before it can write the id: the rule is found again by its name.
        context.setattr(holding, "MicrosoftClient", dying_client(f"POST {RULES}", after=True))
        with pytest.raises(Crash):
            box.work()
    box.work()
    [inbox_rule] = at_microsoft()
    assert inbox_rule["displayName"] == f"Headrace {rule_id}"
    assert inbox_rule["conditions"]["fromAddresses"][0]["emailAddress"]["address"] == SHOP
    assert inbox_rule["actions"]["moveToFolder"] == box.folder_id("archive")
    assert inbox_rule["isEnabled"] is True
    rows = {str(row["_id"]): row for row in collection(Rule).find()}
    assert rows[rule_id]["graph_rule_id"] == inbox_rule["id"]
    assert "mirror_error" not in rows[rule_id]
    assert "staging folder" in rows[staged]["mirror_error"]
    assert "addresses" in rows[domain]["mirror_error"]
    assert differing() == 0

    message_id = box.arrive()  # Microsoft acts at once; ours finds it done
    assert box.folder(message_id) == "archive"
    box.sync()
    box.work()
    assert box.execution("rule")["reason"] == "already so"

    box.set_user(**{"preferences.automation_paused": True})
    assert differing() == 1
    box.work()
    assert [one["isEnabled"] for one in at_microsoft()] == [False]
    box.set_user(**{"preferences.automation_paused": False})
    set_mailbox(whitelisted_senders=[SHOP])
    box.work()
    assert at_microsoft() == []
    set_mailbox(whitelisted_senders=[])
    box.work()
    assert [one["isEnabled"] for one in at_microsoft()] == [True]

    rules.delete(USER, rule_id, by=USER)
    box.work()
    assert at_microsoft() == []
    set_mailbox(mirror_rules=False)
    box.work()
    assert differing() == 0
    assert "mirrored" not in (collection(Mailbox).find_one({}) or {})
    assert "mirror_error" not in (collection(Rule).find_one({}) or {})
    assert collection(Execution).count_documents({"state": "failed"}) == 0


def test_what_another_rule_would_meet_first_is_not_done_at_microsoft(box: WorkedMailbox) -> None:
    first = rules.create(
        *(USER, box.id),
        name="Invoices stay",
        conditions={"subject_contains": "invoice"},
        actions=[{"action_type": "mark_read"}],
        by=USER,
    )
    second = box.rule({"action_type": "archive"})
    set_mailbox(mirror_rules=True)
    box.work()
    assert at_microsoft() == []
    rows = {str(row["_id"]): row for row in collection(Rule).find()}
    assert "a rule before it" in rows[second]["mirror_error"]
    rules.update(USER, first, {"conditions": {"sender_domain": "lists.example"}}, by=USER)
    box.work()
    assert [one["displayName"] for one in at_microsoft()] == [f"Headrace {second}"]
    rules.reorder(USER, box.id, [second], by=USER)
    rules.update(USER, first, {"conditions": {"subject_contains": "invoice"}}, by=USER)
    box.work()
    assert len(at_microsoft()) == 1


def test_a_refusal_is_noted_with_the_rule_and_not_repeated(
    box: WorkedMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.sandbox.mail_folder_add(USER, "Kept")
    box.sync()
    kept = box.folder_id("Kept")
    box.rule({"action_type": "move", "to_folder": kept})
    set_mailbox(mirror_rules=True)
    box.sandbox.mail_folder_remove(USER, kept)  # we do not know of it yet
    box.work()
    [rule] = collection(Rule).find()
    assert rule["mirror_error"]
    assert "graph_rule_id" not in rule
    assert differing() == 0
    monkeypatch.setattr(holding, "MicrosoftClient", None)
    box.work()
