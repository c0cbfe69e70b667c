"""`headrace users`: who there is, how each of their sources is, stopping and letting one go."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, Cell, age, console, examples, note, print_json, table

if TYPE_CHECKING:
    from pipeline.users.listing import UserRow

app = typer.Typer(rich_markup_mode="rich")

#: Colours of statuses, wherever they are shown.
STYLES = {
    "idle": "green",
    "queued": "cyan",
    "syncing": "cyan",
    "rate_limited": "yellow",
    "error": "red",
    "needs_reauth": "red",
    "paused": "dim",
}


_EXAMPLES = (
    "headrace users",
    "headrace users --status needs_reauth",
    "headrace users --limit 5 --json",
)
User = Annotated[str, typer.Argument(metavar="USER")]
Status = Annotated[
    str | None, typer.Option(help=f"Only with a source that is: {', '.join(STYLES)}.")
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many users.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.callback(invoke_without_command=True, epilog=examples(*_EXAMPLES, "headrace users erase ada"))
def users(
    context: typer.Context, *, status: Status = None, limit: Limit = 50, as_json: AsJson = False
) -> None:
    """Users and how their sources are; without a command, list them."""
    if context.invoked_subcommand is None:
        list_users(status=status, limit=limit, as_json=as_json)


@app.command("list", epilog=examples(*_EXAMPLES))
def list_users(*, status: Status = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List users with the status and age of each source, in the order of their ids."""
    if status is not None and status not in STYLES:
        hint = suggestion(status, STYLES) or f"; expected one of {', '.join(STYLES)}"
        raise WrongUse(f"--status: there is no status {status!r}{hint}")
    from pipeline.probes import require
    from pipeline.users import listing

    require("mongodb")
    found = listing.users(limit, wanted=listing.Filter(status=status or ""))
    documents = [_document(user) for user in found.users]
    if as_json:
        print_json({"users": documents, "more": bool(found.next)})
        return
    now = datetime.now(UTC)
    names = sorted({source for user in documents for source in user["sources"]})
    rows = [
        (user["user"], *(_shown(user["sources"].get(name), now) for name in names), user["records"])
        for user in documents
    ]
    console().print(table(None, ("user", *names, "records"), rows))
    if found.next:
        note(f"There are more than these {limit}; see --limit and --status.")


@app.command(
    epilog=examples("headrace users disconnect ada", "headrace users disconnect ada --yes")
)
def disconnect(
    user: User,
    *,
    provider: Annotated[str, typer.Option(help="The provider whose account it is.")] = "google",
    yes: Yes = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """End the connection of USER: syncs and pushes stop, the grant is revoked. The copy stays."""
    from pipeline.audit import audited
    from pipeline.cli.names import require_user
    from pipeline.disconnecting import in_words
    from pipeline.probes import require
    from pipeline.users import leaving

    require("mongodb", "redis")
    require_user(user)
    confirm(f"Disconnect {user} from {provider}?", yes=yes)
    who = operator(by)
    with audited(who, "user.disconnect", f"user {user}", origin="cli", provider=provider):
        done = leaving.disconnect(user, provider, who)
    if as_json:
        print_json({"user": user, "sources": done.sources, "grant": done.revocation})
    else:
        grant = in_words(done.revocation)
        note(f"Disconnected: {', '.join(done.sources)} have stopped; grant: {grant}.")


@app.command(epilog=examples("headrace users deactivate ada"))
def deactivate(user: User, *, by: By = None, as_json: AsJson = False) -> None:
    """Stop all that is done for USER: syncs, rules, whatever is learned. The copy stays."""
    was_active = _set_active(user, by, active=False)
    if as_json:
        print_json({"user": user, "active": False, "was_active": was_active})
    else:
        note("Nothing is done any more." if was_active else "The user was not active before.")


@app.command(epilog=examples("headrace users activate ada"))
def activate(user: User, *, by: By = None, as_json: AsJson = False) -> None:
    """Have all go on that stopped when USER was deactivated."""
    was_active = _set_active(user, by, active=True)
    if as_json:
        print_json({"user": user, "active": True, "was_active": was_active})
    else:
        note("The user was active before." if was_active else "What had stopped goes on.")


def _set_active(user: str, by: str | None, *, active: bool) -> bool:
    """Set whether a user is active, and return whether that was so before."""
    from pipeline.audit import audited
    from pipeline.cli.names import require_user
    from pipeline.probes import require
    from pipeline.users import activity

    require("mongodb")
    require_user(user)
    who = operator(by)
    act = activity.activate if active else activity.deactivate
    name = f"user.{act.__name__}"
    with audited(who, name, f"user {user}", origin="cli"):
        changed = act(user, who)
    return changed != active


@app.command(epilog=examples("headrace users erase ada", "headrace users erase ada --yes --json"))
def erase(user: User, *, yes: Yes = False, by: By = None, as_json: AsJson = False) -> None:
    """Delete all that is kept of USER, in every store, and revoke the grants. There is no way back.

    What a store or provider that does not answer keeps it from doing, workers do later.
    """
    from pipeline.audit import audited
    from pipeline.probes import require
    from pipeline.users import erasing

    require("mongodb", "redis")
    confirm(f"Erase {user} from every store, for ever?", yes=yes)
    who = operator(by)
    with audited(who, "user.erase", f"user {user}", origin="cli") as row:
        done = erasing.erase(user, who)
        row.details |= done.counts
    if as_json:
        print_json(asdict(done))
        return
    console().print(table("Erased", ("what", "how many"), list(done.counts.items())))
    for provider, revocation in done.grants.items():
        note(f"Grant of {provider}: {revocation}.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless that was answered; without a terminal nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse(f"{question} Say --yes: there is no terminal to ask at")
    typer.confirm(question, abort=True)


def _document(user: UserRow) -> dict[str, Any]:
    fields = ("status", "fresh", "fresh_as_of", "records", "rejected")
    sources = {
        name: {field: getattr(source, field) for field in fields}
        for name, source in user.sources.items()
    }
    records = sum(source.records for source in user.sources.values())
    return {"user": user.user_id, "records": records, "sources": sources}


def _shown(source: dict[str, Any] | None, now: datetime) -> Cell:
    if source is None:
        return Text("not connected", style="dim")
    status = source["status"]
    since = age(source["fresh_as_of"], now)
    return Text(f"{since}" if status == "idle" else f"{status}, {since}", style=STYLES[status])
