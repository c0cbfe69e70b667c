"""`headrace dead-letters`: what failed for good, by cause; replay it, or dismiss it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import FAILED, INTERRUPTED, WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, console, examples, note, number, print_json

if TYPE_CHECKING:
    from pipeline.cli.letter_views import Bar
    from pipeline.dead_letters import Place, Report, Wanted
    from pipeline.stores import Row

app = typer.Typer(rich_markup_mode="rich")

_STATUSES = ("open", "replaying", "replayed", "dismissed", "all")

Group = Annotated[str | None, typer.Option(metavar="GROUP", help="Only letters of this group.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace dead-letters",
        "headrace dead-letters list --group 3f2a90c1d45e",
        "headrace dead-letters replay --group 3f2a90c1d45e",
    ),
)
def dead_letters(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Jobs that failed for good and wait for a person; without a command, their groups.

    Letters of one cause are one group. A letter stays open until its job is replayed and
    completes, or until it is dismissed.
    """
    if context.invoked_subcommand is None:
        list_letters(as_json=as_json)


@app.command(
    "list",
    epilog=examples(
        "headrace dead-letters list",
        "headrace dead-letters list --queue graph",
        "headrace dead-letters list --group 3f2a90c1d45e --json",
    ),
)
def list_letters(
    *,
    group: Group = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    status: Annotated[str, typer.Option(help=f"One of {', '.join(_STATUSES)}.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")] = 50,
    after: Annotated[
        str | None, typer.Option(help="Go on behind this place, as a longer list says.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List groups of dead letters, those that died last first; or the letters of one group."""
    if status not in _STATUSES:
        hint = suggestion(status, _STATUSES) or f"; expected one of {', '.join(_STATUSES)}"
        raise WrongUse(f"--status: there is no status {status!r}{hint}")
    from pipeline.dead_letters import Wanted
    from pipeline.probes import require

    require("mongodb")
    wanted = Wanted(None if status == "all" else status, group, queue, job, tenant)
    show_page = _list_groups if group is None else _list_letters
    end = show_page(wanted, limit, _place(after), as_json=as_json)
    if end and not as_json:
        note(f"There may be more: --after {end}")


def _place(text: str | None) -> Place | None:
    from pipeline.dead_letters import Place

    try:
        return Place.parsed(text) if text else None
    except ValueError as error:
        raise WrongUse(f"--after: {error}") from None


def _list_groups(wanted: Wanted, limit: int, after: Place | None, *, as_json: bool) -> Place | None:
    """Print groups; return where the page ended if it is full."""
    from pipeline import dead_letters as library
    from pipeline.cli import letter_views as views

    groups = library.groups(wanted, limit, after=after)
    end = groups[-1].place if len(groups) == limit else None
    if as_json:
        print_json({"groups": list(map(views.group_document, groups)), "next": end})
    elif groups:
        out = console()
        out.print(views.group_table(groups, datetime.now(UTC), out.width))
    else:
        note("There are no such dead letters.")
    replaying = library.how_many(replace(wanted, status="replaying"))
    if replaying and wanted.status == "open" and not as_json:
        note(f"{number(replaying)} more are being replayed; `replay` carries on with them.")
    return end


def _list_letters(
    wanted: Wanted, limit: int, after: Place | None, *, as_json: bool
) -> Place | None:
    """Print letters; return where the page ended if it is full."""
    from pipeline import dead_letters as library
    from pipeline.cli import letter_views as views

    found = library.letters(wanted, limit, after=after)
    end = None
    if len(found) == limit:
        end = library.Place(found[-1]["last_seen_at"], found[-1]["_id"])
    if as_json:
        print_json({"letters": list(map(views.letter_document, found)), "next": end})
    elif found:
        out = console()
        out.print(views.letter_table(found, datetime.now(UTC), out.width))
    else:
        note("There are no such dead letters.")
    return end


@app.command(
    epilog=examples(
        "headrace dead-letters show 5b1c0a77f2d3e490",
        "headrace dead-letters show sync:google_calendar:ada",
        "headrace dead-letters show 3f2a90c1d45e --json",
    )
)
def show(
    name: Annotated[
        str, typer.Argument(metavar="ID|GROUP", help="A letter, message id, job id or group.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter, or the newest of a group: why, where in the code, its last log."""
    from pipeline import dead_letters as library
    from pipeline.cli import letter_views as views
    from pipeline.probes import require

    require("mongodb")
    letter = library.find(name)
    groups = [] if letter else library.groups(library.Wanted(None, name), limit=1)
    if letter is None and not groups:
        raise WrongUse(f"there is no dead letter, job id or group {name!r}{_near(name)}")
    shown = letter or groups[0].sample
    if as_json:
        document = views.letter_document(shown)
        print_json(document if letter else views.group_document(groups[0]))
        return
    now, out = datetime.now(UTC), console()
    if groups:
        out.print(views.group_table(groups, now, out.width), "")
    for part in views.letter_parts(shown, now):
        out.print(part)


@app.command(
    epilog=examples(
        "headrace dead-letters replay 5b1c0a77f2d3e490",
        "headrace dead-letters replay --group 3f2a90c1d45e",
        "headrace dead-letters replay --all --timeout 300",
    )
)
def replay(
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="A letter, message id or job id.")
    ] = None,
    *,
    group: Group = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for the outcomes of each stage.")
    ] = 900,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Run the jobs of dead letters again, a canary first; workers must be running.

    Of each group first one, then ten, then the rest in hundreds. It stops as soon as one of
    the canary fails again, or a tenth of the rest, and leaves the others open. A letter does
    its work once, however often it is replayed; started again, an interrupted replay carries
    on. Ends with 1 if anything failed again or cannot be replayed.
    """
    if [name is not None, group is not None, everything].count(True) != 1:
        raise WrongUse("give an ID, --group, or --all")
    from pipeline.cli import letter_views as views
    from pipeline.probes import require

    require("mongodb", "redis")
    with views.Bar(shown=console().is_terminal and not as_json) as bar:
        try:
            reports = _replayed(name, group, operator(by), timeout, bar)
        except KeyboardInterrupt:
            note("Interrupted; what was sent still runs. The same command again carries on.")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"groups": [views.report_document(report) for report in reports]})
    else:
        for part in views.report_parts(reports):
            console().print(part)
        if not reports:
            note("There are no open dead letters.")
    if any(report.stopped or report.failed or report.refused for report in reports):
        raise typer.Exit(FAILED)


def _replayed(
    name: str | None, group: str | None, by: str, timeout: float, bar: Bar
) -> list[Report]:
    from pipeline import dead_letters as library

    if name is not None:
        report = library.replay_one(_letter(name), by, patience_seconds=timeout, watch=bar.watch)
        return [report]
    wanted = library.Wanted(fingerprint=group)
    reports = list(library.replay(wanted, by, patience_seconds=timeout, watch=bar.watch))
    if group is not None and not reports:
        raise WrongUse(f"there are no open dead letters in a group {group!r}{_near(group)}")
    return reports


@app.command(
    epilog=examples(
        'headrace dead-letters dismiss 5b1c0a77f2d3e490 --reason "the user has left"',
        'headrace dead-letters dismiss --group 3f2a90c1d45e --reason "mended in 1.4"',
    )
)
def dismiss(
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="A letter, message id or job id.")
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why nobody needs to do anything about it.")],
    group: Group = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Close dead letters without running their jobs; they are kept for a while."""
    if (name is None) == (group is None):
        raise WrongUse("give an ID or --group")
    if not reason.strip():
        raise WrongUse("--reason: say why")
    from pipeline import dead_letters as library
    from pipeline.probes import require

    require("mongodb")
    query: Row = {"_id": _letter(name)["_id"]} if name else {"fingerprint": group}
    dismissed = library.dismiss(query, operator(by), reason.strip())
    if not dismissed:
        what = "it is not open (any more)" if name else f"no open letter is in group {group!r}"
        raise WrongUse(f"nothing to dismiss: {what}{'' if name else _near(group or '')}")
    if as_json:
        print_json({"dismissed": dismissed})
    else:
        note(f"{number(dismissed)} dismissed.")


def _letter(name: str) -> Row:
    """Return the letter of a letter, message or job id.  Raises WrongUse if there is none."""
    from pipeline.dead_letters import find

    letter = find(name)
    if letter is None:
        raise WrongUse(f"there is no dead letter {name!r}; see `headrace dead-letters list`")
    return letter


def _near(group: str) -> str:
    """Return a hint at the group that may be meant."""
    from models import DeadLetter
    from pipeline.stores import collection

    return suggestion(group, collection(DeadLetter).distinct("fingerprint", {"status": "open"}))
