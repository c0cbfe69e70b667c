"""`headrace verify`: the sandbox's truth against MongoDB, the graph and search, item by item."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, console, examples, note, number, print_json, table

if TYPE_CHECKING:
    from pipeline.verify import Verdict

app = typer.Typer(rich_markup_mode="rich")

_LOOK_SECONDS = 0.5
#: Differences that are printed; all are counted.
_SHOWN = 40


@app.command(
    epilog=examples(
        "headrace verify", "headrace verify user0001", "headrace verify --wait 120 --json"
    )
)
def verify(
    user: Annotated[str | None, typer.Argument(metavar="USER")] = None,
    *,
    wait: Annotated[
        float,
        typer.Option(
            help="Wait up to so many seconds until all syncs and what follows them are done."
        ),
    ] = 0,
    search: Annotated[
        bool, typer.Option("--search/--no-search", help="Whether to compare what can be found.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Compare every item that the sandbox has with MongoDB, with the graph and with search.

    Mail that waits to be deleted must be in its staging folder.
    Only with a sandbox: a provider's own truth is not ours to read twice. While
    syncs run, what they have not reached yet counts as a difference. Ends with
    1 if there is any.
    """
    from rich.progress import track

    from pipeline.cli.names import require_user
    from pipeline.config import settings
    from pipeline.probes import require
    from pipeline.sandbox.client import SandboxClient
    from pipeline.verify import verify as verify_user

    require("mongodb", "graph")
    if user is not None:
        require_user(user)
    if not settings().google_api_base_url:
        raise WrongUse("there is no sandbox to compare with: GOOGLE_API_BASE_URL is not set")
    sandbox = SandboxClient(settings().google_api_base_url)
    users = _known([entry.user for entry in sandbox.users()], user)
    rested = _wait_for_rest(wait, "graph", "mailbox", *(["search"] if search else []))
    shown = console().is_terminal and not as_json
    verdicts = [
        verify_user(name, sandbox, search=search)
        for name in track(users, "Comparing", disable=not shown)
    ]
    sandbox.close()
    _report(verdicts, rested=rested, as_json=as_json)
    if any(verdict.differences for verdict in verdicts):
        raise typer.Exit(FAILED)


def _known(sandboxed: list[str], user: str | None) -> list[str]:
    """Return the users that both the sandbox and we know.  Raises WrongUse if there are none."""
    from models import User
    from pipeline.stores import collection

    wanted = sandboxed if user is None else [user]
    ours = {row["_id"] for row in collection(User).find({"_id": {"$in": wanted}}, {"_id": 1})}
    users = sorted(ours.intersection(sandboxed))
    if not users:
        raise WrongUse("no user of the sandbox is connected: see `headrace connect --help`")
    return users


def _wait_for_rest(seconds: float, *projections: str) -> bool:
    """Wait until nothing is due, queued, running or lagging; return whether that came about."""
    from models import SyncState
    from pipeline.stores import collection

    busy: dict[str, Any] = {
        "$or": [
            {"status": {"$in": ["queued", "syncing", "rate_limited"]}},
            {"next_due_at": {"$lte": datetime.now(UTC)}},
            *({f"projections.{name}.due_at": {"$ne": None}} for name in projections),
        ]
    }
    end = time.monotonic() + seconds
    while collection(SyncState).find_one(busy, {"_id": 1}) is not None:
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _report(verdicts: list[Verdict], *, rested: bool, as_json: bool) -> None:
    differences = {
        "mongodb": sum(verdict.mongodb for verdict in verdicts),
        "graph": sum(verdict.graph for verdict in verdicts),
        "staging": sum(verdict.staging for verdict in verdicts),
        "search": sum(verdict.search for verdict in verdicts),
    }
    records: dict[str, int] = {}
    for verdict in verdicts:
        for source, count in verdict.records.items():
            records[source] = records.get(source, 0) + count
    lines = [f"{v.user_id}: {example}" for v in verdicts for example in v.examples][:_SHOWN]
    set_aside = sum(verdict.set_aside for verdict in verdicts)
    if as_json:
        print_json(
            {
                "users": len(verdicts),
                "records": records,
                "differences": differences,
                "set_aside": set_aside,
                "at_rest": rested,
                "examples": lines,
            }
        )
        return
    rows = [(source, number(count)) for source, count in sorted(records.items())]
    console().print(table(f"{number(len(verdicts))} users", ("source", "records"), rows))
    for line in lines:
        console().print(line, markup=False)
    console().print(
        f"{number(differences['mongodb'])} differences in MongoDB, "
        f"{number(differences['graph'])} in the graph, {number(differences['search'])} in search, "
        f"{number(differences['staging'])} of staged mail; {number(set_aside)} items set aside"
    )
    if not rested:
        note("Some syncs were still due or running; see --wait.")
