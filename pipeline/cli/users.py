"""`headrace users`: who there is, and how each of their sources is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, Cell, age, console, examples, note, print_json, table

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


@app.command(
    epilog=examples(
        "headrace users", "headrace users --status needs_reauth", "headrace users --limit 5 --json"
    )
)
def users(
    *,
    status: Annotated[
        str | None, typer.Option(help=f"Only with a source that is: {', '.join(STYLES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many users.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List users with the status and age of each source, in the order of their ids."""
    if status is not None and status not in STYLES:
        hint = suggestion(status, STYLES) or f"; expected one of {', '.join(STYLES)}"
        raise WrongUse(f"--status: there is no status {status!r}{hint}")
    from pipeline.cli.probes import require

    require("mongodb")
    found, more = _find(status, limit)
    if as_json:
        print_json({"users": found, "more": more})
        return
    now = datetime.now(UTC)
    names = sorted({source for user in found for source in user["sources"]})
    rows = [
        (user["user"], *(_shown(user["sources"].get(name), now) for name in names), user["records"])
        for user in found
    ]
    console().print(table(None, ("user", *names, "records"), rows))
    if more:
        note(f"There are more than these {limit}; see --limit and --status.")


def _find(status: str | None, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Return up to `limit` users with their sources, and whether there are more."""
    from models import SyncState, User
    from pipeline.stores import collection

    states = collection(SyncState)
    if status is None:
        ids = [row["_id"] for row in collection(User).find().sort("_id", 1).limit(limit + 1)]
    else:
        # Ordered by the index on (user_id, source), of which this reads until it has enough.
        ids = []
        for row in states.find({"status": status}, {"user_id": 1}).sort("user_id", 1):
            if not ids or ids[-1] != row["user_id"]:
                ids.append(row["user_id"])
            if len(ids) > limit:
                break
    found: dict[str, dict[str, Any]] = {
        user_id: {"user": user_id, "records": 0, "sources": {}} for user_id in ids[:limit]
    }
    fields = ("status", "fresh_as_of", "records", "rejected")
    for row in states.find({"user_id": {"$in": list(found)}}).sort("source", 1):
        user = found[row["user_id"]]
        user["sources"][row["source"]] = {name: row.get(name) for name in fields}
        user["records"] += row["records"]
    return list(found.values()), len(ids) > limit


def _shown(source: dict[str, Any] | None, now: datetime) -> Cell:
    if source is None:
        return Text("not connected", style="dim")
    status = source["status"]
    since = age(source["fresh_as_of"], now)
    return Text(f"{since}" if status == "idle" else f"{status}, {since}", style=STYLES[status])
