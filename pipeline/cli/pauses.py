"""`headrace pause` and `headrace resume`: let nothing of a queue or scope start, and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import (
    AsJson,
    Cell,
    age,
    console,
    duration,
    examples,
    note,
    print_json,
    table,
)

if TYPE_CHECKING:
    from pipeline.jobs.controls import Pause

pause_app = typer.Typer(rich_markup_mode="rich")
resume_app = typer.Typer(rich_markup_mode="rich")

_SCOPE_HELP = "A queue, or user:…, tenant:…, source:…, mailbox:…, connection:…, sender:…"


@pause_app.command(
    epilog=examples(
        "headrace pause",
        'headrace pause graph --reason "the graph is being moved" --for 2h',
        "headrace pause user:ada",
        "headrace pause source:google_gmail --until 18:00",
    )
)
def pause(
    scope: Annotated[str | None, typer.Argument(metavar="SCOPE", help=_SCOPE_HELP)] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; whoever looks will see it.")] = "",
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Such as 30m, 2h or 1d12h.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Such as 18:00 or 2026-05-04T18:00, in UTC.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let no job of SCOPE start; what runs, goes on. Without SCOPE, list what is paused.

    Without --for or --until it lasts until `headrace resume`. Pausing again replaces a pause.
    """
    from pipeline.cli.scopes import scope_of
    from pipeline.cli.times import end_of
    from pipeline.probes import require

    if scope is None:
        if reason or lasting or until:
            raise WrongUse("give a SCOPE to pause")
        _list(as_json=as_json)
        return
    name, end = scope_of(scope), end_of(lasting, until, datetime.now(UTC))
    require("redis")
    _check_user(name)
    from pipeline.jobs import controls

    controls.pause(name, reason=reason.strip(), by=operator(by), until=end)
    if as_json:
        print_json({"scope": name, "until": end, "reason": reason.strip()})
    else:
        note(f"{name} is paused {_until(end, datetime.now(UTC))}; what runs, goes on.")


def _check_user(scope: str) -> None:
    """Raise WrongUse for a user that there is not; a pause must work without MongoDB, too."""
    from pipeline.cli.names import require_user
    from pipeline.probes import mongodb_problem

    kind, _, value = scope.partition(":")
    if kind != "user":
        return
    if problem := mongodb_problem():
        note(f"{problem}; so nobody has checked that there is a user {value!r}.")
    else:
        require_user(value)


def _until(end: datetime | None, now: datetime) -> str:
    if end is None:
        return "until it is resumed"
    return f"until {end:%Y-%m-%d %H:%M} UTC (for {duration((end - now).total_seconds())})"


def _list(*, as_json: bool) -> None:
    from pipeline.jobs import controls
    from pipeline.probes import require

    require("redis")
    found = controls.pauses()
    if as_json:
        print_json({"pauses": [asdict(one) for one in found]})
    elif found:
        console().print(table(None, ("scope", "ends", "reason", "by", "since"), _rows(found)))
    else:
        note("Nothing is paused.")


def _rows(pauses: Sequence[Pause]) -> list[list[Cell]]:
    now = datetime.now(UTC)
    return [
        [
            pause.scope,
            _end(pause.until, now),
            pause.reason,
            pause.by,
            age(pause.at, now),
        ]
        for pause in pauses
    ]


def _end(end: datetime | None, now: datetime) -> str:
    if end is None:
        return "when resumed"
    return f"in {duration((end - now).total_seconds())}"


@resume_app.command(epilog=examples("headrace resume graph", "headrace resume user:ada"))
def resume(
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help=_SCOPE_HELP)],
    *,
    as_json: AsJson = False,
) -> None:
    """Let the jobs of SCOPE start again, those first that have waited longest."""
    from pipeline.cli.names import suggestion
    from pipeline.jobs import controls
    from pipeline.probes import require
    from pipeline.queues import QUEUES

    require("redis")
    name = f"queue:{scope}" if scope in QUEUES else scope
    resumed = controls.resume(name)
    if as_json:
        print_json({"scope": name, "resumed": resumed})
    elif resumed:
        note(f"{name} goes on.")
    else:
        paused = [pause.scope for pause in controls.pauses()]
        note(f"{name} was not paused{suggestion(name, paused)}.")
