"""`headrace sandbox simulate` says what is missing before anything happens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from command_line import headrace

from models import Mailbox, SyncState
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.sync import states


@pytest.fixture
def ada(sandbox: SandboxClient) -> str:
    """A user in whose mailbox somebody lives, not connected."""
    sandbox.add_user("ada")
    sandbox.add_mailboxes(["ada"], messages=0)
    return "ada"


def connect(user_id: str) -> None:
    """Connect as far as a simulation looks before it begins."""
    now = datetime.now(UTC)
    row = {"_id": "m1", "user_id": user_id, "tenant_id": "default", "email": f"{user_id}@a.example"}
    times = dict.fromkeys(("watched_from", "created_at", "updated_at"), now)
    collection(Mailbox).insert_one({**row, "is_connected": True, **times})
    states.ensure(user_id, "microsoft_mail", now)


def test_there_must_be_somebody_who_lives(sandbox: SandboxClient) -> None:
    sandbox.add_user("ada")
    result = headrace("sandbox", "simulate")
    assert result.exit_code == 2
    assert "nobody in the sandbox has a Microsoft mailbox" in result.stderr


def test_a_mailbox_must_be_connected(ada: str) -> None:
    result = headrace("sandbox", "simulate")
    assert result.exit_code == 2
    assert "no mailbox of the sandbox is connected" in result.stderr
    named = headrace("sandbox", "simulate", "--users", ada)
    assert "the mailbox of 'ada' is not connected" in named.stderr
    unknown = headrace("sandbox", "simulate", "--users", "eve")
    assert "no mailbox of 'eve' that somebody lives in" in unknown.stderr


def test_workers_must_run(ada: str, sandbox: SandboxClient) -> None:
    connect(ada)
    result = headrace("sandbox", "simulate", "--days", "2")
    assert result.exit_code == 4
    assert "no worker serves delta-sync: start some" in result.stderr
    assert sandbox.live(1, datetime.now(UTC), datetime.now(UTC), "acts") == {ada: {}}


def test_who_is_paused_is_named(ada: str) -> None:
    connect(ada)
    collection(SyncState).update_one({"user_id": ada}, {"$set": {"status": "paused"}})
    result = headrace("sandbox", "simulate", "--days", "2")
    assert result.exit_code == 1
    assert "the mailbox of 'ada' is paused" in result.stderr
