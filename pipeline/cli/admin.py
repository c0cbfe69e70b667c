"""`headrace admin`: who may sign in to the web."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, Cell, age, console, examples, note, print_json, table
from pipeline.errors import Misconfigured

if TYPE_CHECKING:
    from pipeline.web.access.accounts import Account

app = typer.Typer(rich_markup_mode="rich")

#: Where a password comes from that nobody types.
PASSWORD_VARIABLE = "HEADRACE_ADMIN_PASSWORD"  # noqa: S105
_ROLES = ("viewer", "operator", "admin")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A short name, not an e-mail address.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help=f"{', '.join(_ROLES)}.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace admin create-user ada",
        "headrace admin create-user bob --role operator",
        "headrace admin list-users",
    ),
)
def admin(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Accounts of the web; without a command, list them.

    A viewer looks; an operator also acts; an admin also gives and takes roles.
    """
    if context.invoked_subcommand is None:
        list_users(as_json=as_json)


@app.command(
    "create-user",
    epilog=examples(
        "headrace admin create-user ada",
        "HEADRACE_ADMIN_PASSWORD=… headrace admin create-user bob --role operator",
    ),
)
def create_user(
    name: Name,
    *,
    role: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(_ROLES)}; without, the first one is admin, others viewer."),
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make an account. The password is asked for twice, or taken from HEADRACE_ADMIN_PASSWORD."""
    _check_role(role)
    _ready()
    from pipeline.web.access import accounts

    password = _password()
    name = accounts.normal_name(name)
    who = operator(by)
    # With what it does when nobody says which role, so that the audit has it, too.
    chosen = role or ("viewer" if accounts.exist() else "admin")
    with _audited(who, "account.create", name, role=chosen):
        account = accounts.create(name, password, by=who, role=chosen)
    if as_json:
        print_json({"account": asdict(account)})
    else:
        note(f"{account.name} may sign in now, as {account.role}.")


@app.command(
    "list-users",
    epilog=examples("headrace admin list-users", "headrace admin list-users --json"),
)
def list_users(*, as_json: AsJson = False) -> None:
    """List the accounts; those that begin with "oidc:" came by OpenID Connect."""
    _ready()
    from pipeline.web.access import accounts

    found = accounts.listed()
    if as_json:
        print_json({"accounts": [asdict(account) for account in found]})
    elif found:
        now = datetime.now(UTC)
        columns = ("account", "role", "status", "last sign-in", "made")
        console().print(table(None, columns, [_cells(account, now) for account in found]))
    else:
        note("There are no accounts yet; `headrace admin create-user NAME` makes the first.")


@app.command("set-role", epilog=examples("headrace admin set-role bob admin"))
def set_role(name: Name, role: RoleName, *, by: By = None, as_json: AsJson = False) -> None:
    """Give an account another role; it has to sign in again."""
    _check_role(role)
    _ready()
    from pipeline.web.access import accounts

    name = _require(name)
    with _audited(operator(by), "account.set_role", name, role=role):
        accounts.set_role(name, role)
    _tell(f"{name} is {role} now.", name, as_json=as_json)


@app.command("set-password", epilog=examples("headrace admin set-password ada"))
def set_password(name: Name, *, by: By = None, as_json: AsJson = False) -> None:
    """Give an account another password; it is signed out everywhere."""
    _ready()
    from pipeline.web.access import accounts

    name = _require(name)
    password = _password()
    with _audited(operator(by), "account.set_password", name):
        accounts.set_password(name, password)
    _tell(f"{name} has another password now.", name, as_json=as_json)


@app.command(epilog=examples("headrace admin disable bob"))
def disable(name: Name, *, by: By = None, as_json: AsJson = False) -> None:
    """Let nobody in by an account; whoever is signed in with it is out within seconds."""
    _ready()
    from pipeline.web.access import accounts

    name = _require(name)
    with _audited(operator(by), "account.disable", name):
        accounts.disable(name)
    _tell(f"{name} may not sign in any more.", name, as_json=as_json)


@app.command(epilog=examples("headrace admin enable bob"))
def enable(name: Name, *, by: By = None, as_json: AsJson = False) -> None:
    """Let its owner sign in again."""
    _ready()
    from pipeline.web.access import accounts

    name = _require(name)
    with _audited(operator(by), "account.enable", name):
        accounts.enable(name)
    _tell(f"{name} may sign in again.", name, as_json=as_json)


@app.command("delete-user", epilog=examples("headrace admin delete-user bob"))
def delete_user(name: Name, *, by: By = None, as_json: AsJson = False) -> None:
    """Delete an account; the audit keeps what it did. The last enabled admin stays."""
    _ready()
    from pipeline.web.access import accounts

    name = _require(name)
    with _audited(operator(by), "account.delete", name):
        accounts.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        note(f"{name} is gone.")


@contextmanager
def _audited(by: str, action: str, name: str, **details: str) -> Iterator[None]:
    from pipeline.audit import audited

    with audited(by, action, f"account {name}", origin="cli") as entry:
        entry.details.update(details)
        yield


def _ready() -> None:
    """Return once accounts can be reached; raises Misconfigured or Transient."""
    from pipeline.probes import require

    try:
        import argon2  # noqa: F401
    except ImportError:
        raise Misconfigured("accounts of the web need: pip install 'headrace[web]'") from None
    require("mongodb")


def _require(name: str) -> str:
    """Return the name as it is kept; raise WrongUse that suggests the nearest if nobody has it."""
    from pipeline.web.access import accounts

    normal = accounts.normal_name(name)
    known = [account.name for account in accounts.listed()]
    if normal not in known:
        raise WrongUse(f"there is no account {name!r}{suggestion(normal, known)}")
    return normal


def _check_role(role: str | None) -> None:
    if role is not None and role not in _ROLES:
        hint = suggestion(role, _ROLES) or f"; expected one of {', '.join(_ROLES)}"
        raise WrongUse(f"there is no role {role!r}{hint}")


def _password() -> str:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    text: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return text


def _tell(text: str, name: str, *, as_json: bool) -> None:
    from pipeline.web.access import accounts

    if as_json:
        print_json({"account": asdict(accounts.get(name))})
    else:
        note(text)


def _cells(account: Account, now: datetime) -> Sequence[Cell]:
    status = "disabled" if account.disabled else "enabled"
    made = f"{age(account.created_at, now)} by {account.created_by}"
    return account.name, account.role, status, age(account.last_sign_in_at, now), made
