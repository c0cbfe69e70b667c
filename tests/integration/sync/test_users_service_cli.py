"""`headrace users`: listing, disconnecting, erasing, and what is asked before."""

from __future__ import annotations

import json
from typing import Any

from copies import CONTACTS, Copy
from typer.testing import CliRunner, Result

from models import AuditLog, Connection, SyncState, User
from pipeline.cli.main import app
from pipeline.stores import collection


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def document(*arguments: str) -> Any:
    return json.loads(headrace(*arguments, "--json").stdout)


def test_users_are_listed_with_and_without_the_word_list(copy: Copy) -> None:
    copy.sync(CONTACTS)
    listed = document("users")
    assert listed == document("users", "list")
    [user] = listed["users"]
    assert (user["user"], user["sources"][CONTACTS]["fresh"]) == ("ada", True)
    assert not listed["more"]
    assert document("users", "--status", "idle", "--limit", "1")["users"]
    assert not document("users", "--status", "error")["users"]


def test_what_is_final_is_asked_for_first(copy: Copy) -> None:
    for command in ("disconnect", "erase"):
        refused = headrace("users", command, "ada")
        assert refused.exit_code == 2
        assert "--yes" in refused.stderr
    assert collection(User).count_documents({}) == 1
    assert collection(AuditLog).count_documents({}) == 0


def test_a_disconnect_tells_what_has_stopped(copy: Copy) -> None:
    done = document("users", "disconnect", "ada", "--yes", "--as", "eve")
    assert done["grant"] == "revoked"
    assert CONTACTS in done["sources"]
    assert collection(Connection).count_documents({"status": "disconnected"}) == 1
    assert "did you mean 'ada'?" in headrace("users", "disconnect", "adda", "--yes").stderr
    row = collection(AuditLog).find_one({"action": "user.disconnect"})
    assert row is not None
    assert (row["actor"], row["origin"], row["outcome"]) == ("eve", "cli", "done")


def test_a_user_is_deactivated_and_activated(copy: Copy) -> None:
    for command, active in (("deactivate", False), ("activate", True)):
        for was_active in (not active, active):
            told = document("users", command, "ada", "--as", "eve")
            assert told == {"user": "ada", "active": active, "was_active": was_active}
    assert "did you mean 'ada'?" in headrace("users", "deactivate", "adda").stderr
    row = collection(AuditLog).find_one({"action": "user.activate"})
    assert row is not None
    assert (row["actor"], row["origin"], row["outcome"]) == ("eve", "cli", "done")


def test_an_erasure_tells_what_was_deleted_and_is_audited(copy: Copy) -> None:
    copy.sync(CONTACTS)
    done = document("users", "erase", "ada", "--yes", "--as", "eve")
    assert done["counts"]["records"] > 0
    assert done["grants"] == {"google": "revoked"}
    assert collection(SyncState).count_documents({}) == 0
    row = collection(AuditLog).find_one({"action": "user.erase"})
    assert row is not None
    assert row["details"]["users"] == 1
    again = headrace("users", "erase", "ada", "--yes")
    assert again.exit_code == 0
    assert "records" in again.stdout
    unknown = headrace("users", "erase", "bob", "--yes")
    assert unknown.exit_code != 0
    assert "there is no user 'bob'" in unknown.stderr
