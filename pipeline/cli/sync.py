"""`headrace sync`: one user now, in this process, or everybody through the queue."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, Cell, console, examples, note, number, print_json, table

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=examples(
        "headrace sync ada",
        "headrace sync ada google_gmail --full",
        "headrace sync ada --dry-run",
        "headrace sync --all",
    )
)
def sync(
    user: Annotated[str | None, typer.Argument(metavar="USER")] = None,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Such as google_gmail; all without.")
    ] = None,
    *,
    everybody: Annotated[
        bool, typer.Option("--all", help="Make every user due now; the workers do the rest.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="List everything anew instead of what changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would change; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sync USER now, here, and tell what changed; or queue everybody.

    Waits for quota as long as that is a matter of minutes. Ends with 1 if a sync failed.
    """
    if everybody == (user is not None):
        raise WrongUse("give a USER, or --all")
    if everybody and (full or dry_run):
        raise WrongUse("--full and --dry-run are for one USER")
    if user is None:
        _queue_everybody(as_json=as_json)
    else:
        _sync_one(user, source, full=full, dry_run=dry_run, as_json=as_json)


def _sync_one(user: str, source: str | None, *, full: bool, dry_run: bool, as_json: bool) -> None:
    from pipeline.cli import foreground
    from pipeline.cli.names import require_source, require_user
    from pipeline.probes import require

    if source is not None:
        require_source(source)
    require("mongodb", "redis")
    require_user(user)
    sources = foreground.sources_of(user, source)
    outcomes = []
    with foreground.Progress(user, shown=console().is_terminal and not as_json) as progress:
        for name in sources:
            progress.begin(name)
            run = foreground.dry_run if dry_run else foreground.sync
            outcomes.append(run(user, name, full=full, wait=progress.wait))
    if as_json:
        print_json({"user": user, "syncs": outcomes})
    else:
        console().print(table(None, COLUMNS, [_row(outcome) for outcome in outcomes]))
    if not all(outcome["ok"] for outcome in outcomes):
        raise typer.Exit(FAILED)


COLUMNS = (
    *("source", "outcome", "created", "updated", "deleted", "unchanged", "rejected"),
    *("calls", "seconds", "why"),
)


def _row(outcome: dict[str, Any]) -> list[Cell]:
    counts = [outcome[name] for name in COLUMNS[2:7]]
    last = [outcome["calls"], f"{outcome['seconds']:.1f}", outcome["why"] or ""]
    return [outcome["source"], outcome["outcome"], *counts, *last]


def _queue_everybody(*, as_json: bool) -> None:
    from rich.progress import track

    from models import SyncState
    from pipeline.cli.connecting import look_for_due_now
    from pipeline.probes import require
    from pipeline.stores import collection
    from pipeline.sync import states
    from pipeline.sync.held import in_words, pauses_of_syncs

    require("mongodb")
    found = collection(SyncState)
    everything = found.find({}, {"_id": 0, "user_id": 1, "source": 1}, batch_size=1000)
    shown = console().is_terminal and not as_json
    requested = held = 0
    for state in track(
        everything,
        "Making everybody due",
        total=found.estimated_document_count(),
        disable=not shown,
    ):
        if states.request(state["user_id"], state["source"]):
            requested += 1
        else:
            held += 1
    queued = look_for_due_now()
    if as_json:
        print_json({"requested": requested, "held": held, "queued": queued})
        return
    note(
        f"{number(requested)} sources of users are due now; "
        f"{number(held)} are paused or wait for their user."
    )
    if not queued:
        note("Redis does not answer: the scheduler queues them once it does.")
        return
    for pause in pauses_of_syncs():
        note(in_words(pause))
