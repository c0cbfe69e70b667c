"""The Settings page: what is set without its secrets, and accounts for admins."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from browsers import account, browser, principal_in, signed_in
from starlette.testclient import TestClient

from models import AdminUser
from pipeline import audit
from pipeline.config import Settings, settings
from pipeline.stores import collection
from pipeline.web.access import accounts

Setting = Callable[..., None]
HX = {"HX-Request": "true"}


def act(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    """Do something to an account; return the status and the notice."""
    response = client.post(f"/admin/settings/{path}", data=fields, headers=HX)
    return response.status_code, json.loads(response.headers["HX-Trigger"])["notice"]["text"]


def test_every_setting_is_there_with_its_meaning_and_no_secret(
    stores: None, setting: Setting
) -> None:
    client = signed_in("viewer")
    address = settings().mongodb_uri.get_secret_value().replace("//", "//u:pw@", 1)
    setting(GOOGLE_CLIENT_SECRET="very-secret", METRICS_TOKEN="", MONGODB_URI=address)
    page = client.get("/admin/settings").text
    for field, info in Settings.model_fields.items():
        assert f">{field.upper()}<" in page
        assert info.description
    assert "very-secret" not in page
    assert "u:pw" not in page
    assert settings().encryption_keys.get_secret_value() not in page
    assert page.count("(set)") >= 2
    assert "not set" in page


def test_what_was_set_is_apart_from_what_was_left(stores: None, setting: Setting) -> None:
    setting(LEASE_SECONDS="25")
    page = signed_in("viewer").get("/admin/settings").text
    set_here, _, left = page.partition("Left as they are")
    assert ">LEASE_SECONDS<" in set_here
    assert ">environment<" in set_here
    assert ">SYNC_BUDGET_SECONDS<" in left


def test_settings_are_found_by_name_and_meaning(stores: None) -> None:
    client = signed_in("viewer")
    page = client.get("/admin/settings?q=lease_seconds").text
    assert ">LEASE_SECONDS<" in page
    assert ">LOG_LEVEL<" not in page
    assert ">LOG_LEVEL<" in client.get("/admin/settings?q=least+severe").text
    assert "No setting matches" in client.get("/admin/settings?q=%3Cscript%3E").text


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_see_who_may_sign_in(stores: None, role: Any) -> None:
    account("somebody-else")
    assert "somebody-else" not in signed_in(role).get("/admin/settings").text
    assert "somebody-else" in signed_in("admin").get("/admin/settings").text


def test_an_admin_changes_an_account_and_the_audit_has_it(stores: None) -> None:
    account("bob", "viewer")
    client = signed_in("admin")
    assert act(client, "accounts/bob/role", role="operator")[0] == 204
    assert act(client, "accounts/bob/disable")[0] == 204
    assert "Enable" in client.get("/admin/settings").text
    assert act(client, "accounts/bob/enable")[0] == 204
    assert act(client, "accounts/bob/end-sessions")[0] == 204
    assert (accounts.get("bob").role, accounts.get("bob").disabled) == ("operator", False)
    rows = [(entry.actor, entry.action, entry.target) for entry in reversed(audit.entries())]
    assert rows == [
        ("the-admin", f"account.{verb}", "account bob")
        for verb in ("set_role", "disable", "enable", "end_sessions")
    ]


def test_what_an_admin_may_not_do_is_refused_with_the_reason(stores: None) -> None:
    client = signed_in("admin")
    collection(AdminUser).update_one({"_id": account("oidc:bob").name}, {"$set": {"subject": "x"}})
    assert act(client, "accounts/oidc:bob/disable")[0] == 204
    assert act(client, "accounts/the-admin/disable") == (
        400, "this is the last enabled admin; make another one first",
    )  # fmt: skip
    assert act(client, "accounts/oidc%3Abob/role", role="viewer")[0] == 400
    assert act(client, "accounts/the-admin/role", role="boss")[0] == 400
    assert act(client, "accounts/the-admin/role")[0] == 400
    assert act(client, "accounts/nobody/disable")[0] == 404
    assert not accounts.get("the-admin").disabled


def test_whoever_signs_out_everywhere_is_out_in_this_browser_too(stores: None) -> None:
    client, other = signed_in("viewer", "ada"), signed_in("viewer", "ada")
    bystander = signed_in("viewer", "bob")
    for one in (client, other, bystander):
        assert one.get("/admin/settings").status_code == 200
    assert act(client, "sign-out-everywhere")[0] == 204
    assert client.get("/admin/settings").status_code == 303
    assert other.get("/admin/settings").status_code == 303
    assert bystander.get("/admin/settings").status_code == 200
    assert principal_in(bystander).name == "bob"
    assert browser().get("/admin/settings").status_code == 303
