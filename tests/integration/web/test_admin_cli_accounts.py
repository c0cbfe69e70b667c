"""`headrace admin`: accounts are made and changed where Headrace runs, and the audit has it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from browsers import PASSWORD, account, browser
from typer.testing import CliRunner, Result

from models import AdminSession, AdminUser
from pipeline import audit
from pipeline.cli.main import app
from pipeline.errors import Permanent
from pipeline.stores import collection
from pipeline.web.access import accounts, sessions


def admin(*arguments: str, typed: str | None = None, password: str | None = PASSWORD) -> Result:
    """Run `headrace admin …`; `typed` answers the prompts."""
    env = {"HEADRACE_ADMIN_PASSWORD": None if typed is not None else password}
    return CliRunner().invoke(app, ["admin", *arguments], env=env, input=typed)


def document(*arguments: str) -> Any:
    return json.loads(admin(*arguments, "--json").stdout)


def acts() -> list[tuple[str, str, str, str]]:
    return [(e.actor, e.action, e.target, e.outcome) for e in reversed(audit.entries())]


def test_the_first_account_is_an_admin_and_the_next_ones_are_viewers(stores: None) -> None:
    assert "no accounts yet" in admin().stderr
    first = document("create-user", "Ada", "--as", "root")["account"]
    second = document("create-user", "bob", "--as", "root")["account"]
    third = document("create-user", "eve", "--role", "operator", "--as", "root")["account"]
    assert [(one["name"], one["role"]) for one in (first, second, third)] == [
        ("ada", "admin"), ("bob", "viewer"), ("eve", "operator"),
    ]  # fmt: skip
    assert [one["name"] for one in document("list-users")["accounts"]] == ["ada", "bob", "eve"]
    assert acts() == [
        ("root", "account.create", f"account {name}", "done") for name in ("ada", "bob", "eve")
    ]
    assert audit.entries()[0].details == {"role": "operator"}
    assert audit.entries()[0].origin == "cli"


def test_the_password_is_asked_for_twice_and_shown_nowhere(stores: None) -> None:
    typed = f"{PASSWORD}\nsomething-else-it-is\n{PASSWORD}\n{PASSWORD}\n"
    result = admin("create-user", "ada", typed=typed)
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert PASSWORD not in str(list(collection(AdminUser).find()))
    fields = {"name": "ada", "password": PASSWORD}
    assert browser().post("/admin/sign-in", data=fields).status_code == 303


@pytest.mark.parametrize(
    ("name", "password", "complaint"),
    [
        ("ada", "short", "12 to 1024 characters"),
        ("ada", "ada-is-in-the-password", "must not contain the name"),
        ("ada@example.com", PASSWORD, "not an e-mail address"),
        ("", PASSWORD, "a name is"),
        ("-ada", PASSWORD, "No such option"),
        ("ada lovelace", PASSWORD, "a name is"),
    ],
)
def test_what_is_unfit_is_refused_and_makes_nothing(
    stores: None, name: str, password: str, complaint: str
) -> None:
    result = admin("create-user", name, password=password)
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert password not in result.output
    assert not accounts.exist()


def test_a_name_is_taken_once(stores: None) -> None:
    account("ada")
    result = admin("create-user", "ADA")
    assert result.exit_code == 1
    assert "there is a user 'ada' already" in result.stderr
    assert acts()[-1][3] == "refused"


def test_an_account_is_changed_and_its_sessions_end(stores: None) -> None:
    account("ada")
    bob = account("bob", "viewer")
    for arguments, told in (
        (("set-role", "bob", "operator"), "bob is operator now"),
        (("set-password", "bob"), "bob has another password now"),
        (("disable", "bob"), "bob may not sign in any more"),
    ):
        sessions.begin(accounts.get("bob"), "password", "")
        assert told in admin(*arguments).stderr
        assert not collection(AdminSession).find_one({"user": "bob"})
    changed = accounts.get("bob")
    assert (changed.role, changed.disabled) == ("operator", True)
    assert changed.epoch == bob.epoch + 3
    assert document("enable", "bob")["account"]["disabled"] is False
    assert document("delete-user", "bob") == {"deleted": "bob"}
    assert [act[1] for act in acts()] == [
        "account.set_role", "account.set_password", "account.disable", "account.enable",
        "account.delete",
    ]  # fmt: skip


def test_the_same_role_again_ends_no_session(stores: None) -> None:
    account("ada")
    sessions.begin(accounts.get("ada"), "password", "")
    assert admin("set-role", "ada", "admin").exit_code == 0
    assert collection(AdminSession).count_documents({}) == 1


@pytest.mark.parametrize("arguments", [("disable",), ("delete-user",), ("set-role", "viewer")])
def test_the_last_enabled_admin_stays(stores: None, arguments: tuple[str, ...]) -> None:
    account("ada")
    account("bob")
    accounts.disable("bob")
    command, *more = arguments
    result = admin(command, "ada", *more)
    assert result.exit_code == 1
    assert "the last enabled admin" in result.stderr
    assert (accounts.get("ada").role, accounts.get("ada").disabled) == ("admin", False)
    assert acts()[-1][3] == "refused"


def test_two_admins_who_disable_each_other_at_once_leave_one(stores: None) -> None:
    def disable(name: str) -> None:
        with suppress(Permanent):
            accounts.disable(name)

    for _ in range(5):
        account("ada")
        account("bob")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(disable, ("ada", "bob")))
        assert [one.disabled for one in accounts.listed()].count(False) == 1


def test_an_unknown_account_or_role_is_wrong_use_with_the_nearest(stores: None) -> None:
    account("ada")
    result = admin("disable", "adah")
    assert (result.exit_code, "did you mean 'ada'?" in result.stderr) == (2, True)
    result = admin("set-role", "ada", "admn")
    assert (result.exit_code, "did you mean 'admin'?" in result.stderr) == (2, True)
    assert acts() == []


def test_without_mongodb_nothing_is_asked_or_done(stores: None) -> None:
    env = {"MONGODB_URI": "mongodb://127.0.0.1:1/headrace"}
    from pipeline.config import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGODB_URI", env["MONGODB_URI"])
        settings.cache_clear()
        result = admin("create-user", "ada", typed="")
    settings.cache_clear()
    assert result.exit_code == 4
    assert "MongoDB" in result.stderr
    assert "Password" not in result.output
