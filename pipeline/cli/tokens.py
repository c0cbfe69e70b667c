"""`headrace tokens`: what programs sign in to the API with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, age, console, duration, examples, note, print_json, table

if TYPE_CHECKING:
    from pipeline.stores import Row

app = typer.Typer(rich_markup_mode="rich")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the audit calls it.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace tokens",
        "headrace tokens create billing --scopes users:read,syncs:write --days 90",
        "headrace tokens revoke billing",
    ),
)
def tokens(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Tokens with which programs use the API at /api/v1; without a command, list them."""
    if context.invoked_subcommand is None:
        list_tokens(as_json=as_json)


@app.command(
    epilog=examples(
        "headrace tokens create billing --scopes users:read,users:write,syncs:write",
        "headrace tokens create acme-portal --scopes users:read --tenant acme --days 90",
    )
)
def create(
    name: Name,
    *,
    scopes: Annotated[
        str,
        typer.Option(
            help="Comma-separated: users:read, users:write, syncs:write, search:read, ai:read, "
            "ai:write, jobs:read, jobs:write, dead_letters:read, dead_letters:write, "
            "mailboxes:read, mailboxes:reveal, mailboxes:write, "
            "outreach:read, outreach:reveal, outreach:write."
        ),
    ],
    days: Annotated[
        float | None,
        typer.Option(min=0.01, max=36_500, help="It holds so long; without, until it is revoked."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="It knows of no user but those of this tenant.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    from pipeline import api_tokens
    from pipeline.audit import audited
    from pipeline.probes import require

    for scope in wanted:
        if scope not in api_tokens.SCOPES:
            hint = suggestion(scope, api_tokens.SCOPES)
            known = f"; expected some of {', '.join(api_tokens.SCOPES)}"
            raise WrongUse(f"--scopes: there is no scope {scope!r}{hint or known}")
    require("mongodb")
    who = operator(by)
    with audited(who, "token.create", f"token {name}", origin="cli") as row:
        row.details |= {"scopes": ", ".join(wanted), "tenant": tenant, "days": days}
        made = api_tokens.create(name, wanted, by=who, tenant_id=tenant, days=days)
    if as_json:
        print_json({"token": made.secret, **_document(made.row)})
        return
    console().print(made.secret, soft_wrap=True)
    note("This is the only time that it is shown. Send it as: Authorization: Bearer …")


@app.command("list", epilog=examples("headrace tokens list", "headrace tokens list --json"))
def list_tokens(*, as_json: AsJson = False) -> None:
    """List tokens, those that were made last first; never the secret itself."""
    from pipeline import api_tokens
    from pipeline.probes import require

    require("mongodb")
    found = api_tokens.listed()
    if as_json:
        print_json({"tokens": [_document(row) for row in found]})
    elif found:
        now = datetime.now(UTC)
        columns = ("token", "status", "scopes", "tenant", "made", "last used")
        console().print(table(None, columns, [_cells(row, now) for row in found]))
    else:
        note("There are no tokens yet; `headrace tokens create` makes one.")


@app.command(epilog=examples("headrace tokens revoke billing"))
def revoke(name: Name, *, by: By = None, as_json: AsJson = False) -> None:
    """Revoke a token for good; within seconds nobody can use it any more."""
    from pipeline import api_tokens
    from pipeline.audit import audited
    from pipeline.probes import require

    require("mongodb")
    who = operator(by)
    known = [row["name"] for row in api_tokens.listed()]
    if name not in known:
        raise WrongUse(f"there is no token {name!r}{suggestion(name, known)}")
    with audited(who, "token.revoke", f"token {name}", origin="cli"):
        revoked = api_tokens.revoke(name, by=who)
    if as_json:
        print_json({"revoked": revoked})
    else:
        note("Revoked." if revoked else "It was revoked already.")


_FIELDS = (
    *("name", "scopes", "tenant_id", "created_at", "created_by", "expires_at", "last_used_at"),
    *("revoked_at", "revoked_by"),
)


def _document(row: Row) -> Row:
    return {field: row.get(field) for field in _FIELDS}


def _cells(row: Row, now: datetime) -> Sequence[str | None]:
    used = age(row.get("last_used_at"), now)
    made = f"{age(row['created_at'], now)} by {row['created_by']}"
    return row["name"], _status(row, now), ", ".join(row["scopes"]), row["tenant_id"], made, used


def _status(row: Row, now: datetime) -> str:
    from pipeline.api_tokens import why_refused

    if reason := why_refused(row, now):
        return reason
    expires_at = row.get("expires_at")
    return f"for {duration((expires_at - now).total_seconds())}" if expires_at else "holds"
