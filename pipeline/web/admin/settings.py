"""The Settings page: what is set and where that comes from, and who may sign in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.admin_user import ROLES
from pipeline.config import Settings, env_name
from pipeline.described_settings import described, is_secret
from pipeline.web.access import accounts, sessions
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.stores import part

_URL = "/admin/settings"
_ONE = f"{_URL}/accounts/{{account:id}}"


def _read(visit: Visit) -> Mapping[str, Any]:
    return {
        "groups": _groups(visit.query.get("q", "").strip()),
        "q": visit.query.get("q", "").strip()[:100],
        "accounts": part("mongodb", _accounts) if visit.principal.may("admin") else None,
        "secrets": {env_name(field) for field in Settings.model_fields if is_secret(field)},
        "roles": [(role, role) for role in ROLES],
    }


def _groups(wanted: str) -> list[dict[str, Any]]:
    """Return the settings that match, those that are set apart from those left as they are."""
    rows = [row for row in described() if wanted.lower() in f"{row.variable} {row.meaning}".lower()]
    changed = [row for row in rows if row.origin != "default"]
    left = [row for row in rows if row.origin == "default"]
    return [
        {"title": "Set here", "hint": "By the environment or by a file.", "rows": changed},
        {"title": "Left as they are", "hint": "These have their defaults.", "rows": left},
    ]


def _accounts() -> list[dict[str, Any]]:
    open_sessions = sessions.counts()
    return [
        {"account": account, "sessions": open_sessions.get(account.name, 0)}
        for account in accounts.listed()
    ]


def _set_role(visit: Visit) -> Done:
    name, role = visit.path["account"], visit.said("role")
    accounts.set_role(name, role)
    return Done(f"{name} is {role} now, and has to sign in again.", {"role": role})


def _acted(act: Callable[[str], None], told: str) -> Callable[[Visit], Done]:
    """Return an action that does `act` to the account of the path."""

    def perform(visit: Visit) -> Done:
        name = visit.path["account"]
        act(name)
        return Done(told.format(name=name))

    return perform


def _sign_out_everywhere(visit: Visit) -> Done:
    accounts.end_sessions(visit.principal.name)
    return Done("You are signed out everywhere.")


routes = [
    page(_URL, "settings", _read, title="Settings", seconds=10),
    action(f"{_ONE}/role", _set_role, name="account.set_role", role="admin"),
    action(
        f"{_ONE}/disable",
        _acted(accounts.disable, "{name} may not sign in any more."),
        name="account.disable",
        role="admin",
    ),
    action(
        f"{_ONE}/enable",
        _acted(accounts.enable, "{name} may sign in again."),
        name="account.enable",
        role="admin",
    ),
    action(
        f"{_ONE}/end-sessions",
        _acted(accounts.end_sessions, "{name} is signed out everywhere."),
        name="account.end_sessions",
        role="admin",
    ),
    action(
        f"{_URL}/sign-out-everywhere",
        _sign_out_everywhere,
        name="session.sign_out_everywhere",
        role="viewer",
    ),
]
