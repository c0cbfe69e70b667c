"""`headrace search`: find records by their words, and look after the index."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import (
    AsJson,
    age,
    console,
    examples,
    note,
    print_json,
    progress_bar,
    table,
)
from pipeline.words import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.projections.search import Hit, Rebuild, Segment

app = typer.Typer(rich_markup_mode="rich")

_LOOK_SECONDS = 0.5


@app.callback(
    invoke_without_command=True,
    epilog=examples("headrace search", "headrace search find budget --tenant acme"),
)
def search(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Find what has landed by its words; see to the index, and fill a new one.

    Without a command, tell how the index is.
    """
    if context.invoked_subcommand is None:
        status(as_json=as_json)


@app.command(
    epilog=examples(
        "headrace search find 'budget -draft' --user ada",
        "headrace search find '\"next week\"' --tenant acme --kind event --json",
    )
)
def find(
    text: Annotated[
        str, typer.Argument(help='Words, "phrases", and -words that must not be there.')
    ],
    *,
    tenant: Annotated[str | None, typer.Option(help="In the records of this tenant.")] = None,
    user: Annotated[str | None, typer.Option(help="In those of this user alone.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only of these sources.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="event, mail, contact, task.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what is from then on, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what is before, UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many hits.")] = 20,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Find records that have all words of TEXT, the best first.

    What is shown is personal: the audit notes who searched, and of whom.
    """
    from pipeline.audit import audited
    from pipeline.cli.times import moment_of
    from pipeline.probes import require
    from pipeline.projections import search
    from pipeline.refusals import Refused

    require("mongodb")
    now = datetime.now(UTC)
    tenant_id = _tenant_of(tenant, user)
    target = f"user {user}" if user else f"tenant {tenant_id}"
    with audited(operator(by), "search.find", target, origin="cli") as entry:
        try:
            found = search.find(
                tenant_id,
                text,
                user_id=user,
                sources=source or (),
                kinds=kind or (),
                since=moment_of(since, now) if since else None,
                until=moment_of(until, now) if until else None,
                limit=limit,
            )
        except Refused as error:
            raise WrongUse(str(error).removeprefix("q: ")) from None
        entry.details["found"] = found.total
    if as_json:
        print_json({"total": found.total, "hits": [_document(hit) for hit in found.hits]})
        return
    for hit in found.hits:
        console().print(_line(hit, now))
    shown = f"{number(len(found.hits))} of {number(found.total)}" if found.total else "Nothing"
    note(f"{shown} found.")


def _tenant_of(tenant: str | None, user: str | None) -> str:
    """Return in whose records to look: a user says the tenant, too.  Raises WrongUse."""
    from models import DEFAULT_TENANT, User
    from pipeline.cli.names import require_user
    from pipeline.stores import collection

    if user is None:
        if tenant is None:
            raise WrongUse("say whose records: --tenant TENANT, or --user USER")
        return tenant
    require_user(user)
    row = collection(User).find_one({"_id": user}, {"tenant_id": 1}) or {}
    of_user: str = row.get("tenant_id") or DEFAULT_TENANT
    if tenant not in (None, of_user):
        raise WrongUse(f"user {user!r} is not of the tenant {tenant!r}")
    return of_user


def _document(hit: Hit) -> dict[str, Any]:
    told = {
        name: [{"text": one.text, "hit": one.hit} for one in segments]
        for name, segments in (("title", hit.title), ("snippet", hit.snippet))
    }
    return asdict(hit) | told


def _line(hit: Hit, now: datetime) -> Text:
    head = Text.assemble((f"{hit.kind}  ", "cyan"), _marked(hit.title), style="bold")
    where = ", ".join(filter(None, (hit.user_id, hit.source, age(hit.at, now) if hit.at else "")))
    line = Text.assemble(head, (f"  {where}", "dim"))
    return Text.assemble(line, "\n  ", _marked(hit.snippet)) if hit.snippet else line


def _marked(segments: Iterable[Segment]) -> Text:
    return Text.assemble(*((one.text, "reverse" if one.hit else "") for one in segments))


@app.command(epilog=examples("headrace search status", "headrace search status --json"))
def status(*, as_json: AsJson = False) -> None:
    """Tell which store it is, how much is in it, what is behind, and of the newest rebuild."""
    from pipeline.probes import require
    from pipeline.projections import search

    require("mongodb")
    found = search.status()
    if as_json:
        print_json(asdict(found))
        return
    now = datetime.now(UTC)
    rows = [
        ("store", found.store),
        ("index", found.index or "none yet: it is made with the first record that lands"),
        ("documents", number(found.documents)),
        ("sources of users behind", number(found.behind)),
        ("newest rebuild", _told(found.rebuild, now) if found.rebuild else "none"),
    ]
    console().print(table(None, ("", ""), rows))


def _told(rebuild: Rebuild, now: datetime) -> str:
    records = f"{number(rebuild.records)} of about {number(rebuild.total)} records"
    if rebuild.status == "done":
        return (
            f"done {age(rebuild.done_at, now)}, by {rebuild.by}: {number(rebuild.records)} records"
        )
    if rebuild.status == "switched":
        return f"in use; the former index goes in a moment; by {rebuild.by}"
    return f"filling since {age(rebuild.started_at, now)}, by {rebuild.by}: {records}"


@app.command(epilog=examples("headrace search rebuild", "headrace search rebuild --no-wait"))
def rebuild(
    *,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Whether to watch until it is in use.")
    ] = True,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Fill a new index with all records, and then search in it; until then in the old one.

    Workers of the queue indexing do it: it goes on when you stop watching.
    """
    from pipeline.audit import audited
    from pipeline.dispatch import send
    from pipeline.probes import require
    from pipeline.projections import search

    require("mongodb", "redis")
    who = operator(by)
    with audited(who, "search.rebuild", "search index", origin="cli") as entry:
        rebuild_id = search.begin_rebuild(by=who)
        entry.details["rebuild"] = rebuild_id
        send("rebuild_search", rebuild_id)
    if wait:
        _watch(rebuild_id, shown=console().is_terminal and not as_json)
    found = search.rebuild()
    if as_json:
        print_json(asdict(found) if found else {})
    elif found:
        console().print(_told(found, datetime.now(UTC)))


def _watch(rebuild_id: str, *, shown: bool) -> None:
    """Wait until a rebuild is in use, or replaced by a newer one."""
    from pipeline.projections import search

    with progress_bar(shown=shown) as bar:
        task = bar.add_task("Filling a new index", total=None)
        while (found := search.rebuild()) and found.id == rebuild_id and found.status == "filling":
            bar.update(task, completed=found.records, total=found.total or None)
            time.sleep(_LOOK_SECONDS)
