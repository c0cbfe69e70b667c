"""`headrace sandbox simulate` says what is missing before anything happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from command_line import headrace

from models import Mailbox, SyncState
from pipeline.cli.simulating import waiting
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


def test_what_is_waited_for_is_a_sync_since_the_request_and_its_observation(ada: str) -> None:
    connect(ada)
    key, asked = {"user_id": ada}, waiting.requested([ada])
    [asked_at] = asked.values()
    assert waiting.unobserved(asked)[ada].startswith("was not synced: idle")
    before = asked_at - timedelta(seconds=1)
    collection(SyncState).update_one(key, {"$set": {"fresh_as_of": before, "seq": 7}})
    assert "was not synced" in waiting.unobserved(asked)[ada]
    collection(SyncState).update_one(key, {"$set": {"fresh_as_of": asked_at}})
    assert waiting.unobserved(asked) == {ada: "was observed up to change 0 of 7"}
    collection(SyncState).update_one(key, {"$set": {"projections.mailbox.seq": 7}})
    assert waiting.unobserved(asked) == {}
    collection(SyncState).delete_one(key)
    assert waiting.unobserved(asked) == {ada: "is gone"}


def test_what_is_waited_for_is_an_analysis_since_then(ada: str) -> None:
    connect(ada)
    now = datetime.now(UTC)
    collection(Mailbox).update_one({"_id": "m1"}, {"$set": {"analysed_at": now}})
    assert waiting.unanalyzed([ada], now - timedelta(seconds=1)) == {}
    assert waiting.unanalyzed([ada], now + timedelta(seconds=1)) == {ada: "was not analyzed"}
