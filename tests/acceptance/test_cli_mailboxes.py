"""`headrace mailboxes` against real stores: what is told, what is decided, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from command_line import document, headrace
from mailbox_rows import NEWS, SUBJECT, Seeded, seed

from models import AuditLog, Mailbox
from pipeline.jobs.reading import page as jobs
from pipeline.stores import collection


@pytest.fixture
def box(stores: None) -> Seeded:
    """A mailbox that was watched for some weeks."""
    return seed(mails=4)


def told(*arguments: str) -> Any:
    """Return the document that a command of `headrace mailboxes` prints."""
    return document("mailboxes", *arguments)


def test_mailboxes_are_listed_and_one_is_told_of(box: Seeded) -> None:
    [row] = told()["mailboxes"]
    assert (row["user"], row["automation"], row["suggested"], row["staged"]) == ("ada", "on", 2, 2)
    assert told("list", "--show", "paused")["mailboxes"] == []
    folders = told("show", "ada")["folder_list"]
    assert {"id": "fld-energy", "path": "Invoices / Energy", "mails": 4} in folders
    assert told("show", box.mailbox_id)["user"] == "ada"


def test_senders_are_masked_until_somebody_says_to_reveal_them(box: Seeded) -> None:
    for command in ("events", "patterns", "rules", "staged"):
        plain = headrace("mailboxes", command, "ada")
        assert plain.exit_code == 0, plain.output
        for one in (NEWS, SUBJECT, "win@spam", "You have won", "receipts@shop"):
            assert one not in plain.output, command
    assert collection(AuditLog).count_documents({}) == 0
    shown = told("events", "ada", "--type", "deleted", "--reveal", "--as", "eve")["events"]
    assert {(one["sender"], one["subject"]) for one in shown} == {(NEWS, SUBJECT)}
    [row] = collection(AuditLog).find()
    assert (row["actor"], row["action"], row["origin"]) == ("eve", "mailbox.reveal_events", "cli")


def test_patterns_are_approved_and_rejected_each_by_itself(box: Seeded) -> None:
    missing = "0" * 24
    result = headrace("mailboxes", "approve", "ada", box.patterns["delete"], missing, "--json")
    assert result.exit_code == 1
    assert '"approved"' in result.stdout
    assert '"refused"' in result.stdout
    rules = told("rules", "ada")["rules"]
    assert rules[-1]["does"] == ["delete"]
    told("reject", "ada", box.patterns["move"])
    assert len(told("patterns", "ada", "--status", "rejected")["patterns"]) == 1
    acts = set(collection(AuditLog).distinct("action"))
    assert acts == {"patterns.approve", "patterns.reject"}


def test_automation_is_paused_and_resumed_and_an_analysis_asked_for(box: Seeded) -> None:
    told("pause", "ada")
    assert told("list", "--show", "paused")["mailboxes"][0]["automation"] == "paused (mailbox)"
    told("resume", "ada")
    assert told("analyze", "ada")["created"] is True
    assert len(jobs("pattern-analysis", None, limit=9).jobs) == 1
    collection(Mailbox).update_one({}, {"$set": {"is_connected": False}})
    refused = headrace("mailboxes", "analyze", "ada")
    assert refused.exit_code == 1
    assert "connect it again" in refused.stderr


def test_what_cannot_be_done_is_said_with_an_exit_code(box: Seeded) -> None:
    unknown = headrace("mailboxes", "show", "adda")
    assert unknown.exit_code == 2
    assert "did you mean 'ada'?" in unknown.stderr
    undone = headrace("mailboxes", "undo", "ada", box.audit["old"])
    assert undone.exit_code == 1
    assert "cannot be undone" in undone.stderr
    assert headrace("mailboxes", "patterns", "ada", "--status", "sugested").exit_code == 2
    possible = told("audit", "ada", "--undoable")["entries"]
    assert sorted(one["undo"] for one in possible) == ["partial", "possible"]
    gone = headrace("mailboxes", "rescue", "ada", "0" * 24, "--json")
    assert gone.exit_code == 1
    assert "refused" in gone.stdout


def test_a_user_without_a_mailbox_is_told_how_to_connect_one(stores: None) -> None:
    from datetime import UTC, datetime

    from models import User

    now = datetime.now(UTC)
    collection(User).insert_one({"_id": "bob", "tenant_id": "default", "created_at": now})
    result = headrace("mailboxes", "show", "bob")
    assert result.exit_code == 2
    assert "headrace connect-link bob --provider microsoft" in result.stderr
