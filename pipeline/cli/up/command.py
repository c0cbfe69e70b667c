"""`headrace up` as a command: options, signals, and when it ends."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.env import DataDir
from pipeline.cli.exits import FAILED, INTERRUPTED
from pipeline.cli.output import AsJson, examples, note, number, print_json
from pipeline.cli.up.stop import Stop
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.cli.up.session import Session

app = typer.Typer(rich_markup_mode="rich")

DEFAULT_TIMEOUT_SECONDS = 900.0
_POLL_SECONDS = 0.25


@app.command(
    epilog=examples(
        "headrace up --demo 20",
        "headrace up --demo 20 --exit-when-fresh --json",
        "MONGODB_URI=mongodb://db.example/headrace headrace up",
    )
)
def up(
    *,
    demo: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Also a sandbox with N users, connected, and a campaign."
        ),
    ] = None,
    exit_when_fresh: Annotated[
        bool,
        typer.Option(
            "--exit-when-fresh",
            help="Sync everybody once, compare with the sandbox, print a summary and stop.",
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="S", help="Seconds that --exit-when-fresh may take.")
    ] = DEFAULT_TIMEOUT_SECONDS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Start everything on this machine, and show how fresh the copies are.

    Starts Redis, MongoDB and the graph unless REDIS_URL, MONGODB_URI or GRAPH_URI name
    others; then workers and the scheduler. Ctrl-C stops all that it started.

    With --exit-when-fresh it ends with 0 only if all was fresh in time and, with a sandbox,
    the copies are equal to what is there; with 1 if not, with 130 if it was stopped before.
    """
    from pipeline.config import data_dir as default_data_dir

    folder = (data_dir or default_data_dir()).absolute()
    os.environ["HEADRACE_DATA_DIR"] = str(folder)
    report = _run(folder, demo, timeout if exit_when_fresh else None, as_json=as_json)
    if as_json:
        print_json(report)
    elif exit_when_fresh:
        _tell(report)
    if exit_when_fresh and report["stopped_by"] == "signal":
        raise typer.Exit(INTERRUPTED)
    if report["stopped_by"] == "timeout" or report.get("differences"):
        raise typer.Exit(FAILED)


def _run(
    folder: Path, demo: int | None, timeout_seconds: float | None, *, as_json: bool
) -> dict[str, Any]:
    """Run until told to stop, or until all is fresh or time is up; return the summary."""
    from pipeline.cli.up.display import Lines, Live, Silence
    from pipeline.cli.up.events import Events
    from pipeline.cli.up.session import Session

    lively = sys.stdout.isatty() and not as_json
    session = Session(folder, demo, Events(aloud=not lively), sync_all=timeout_seconds is not None)
    show = Live(session) if lively else Silence() if as_json else Lines(session)
    with Stop() as stop:
        try:
            with show, session:
                stop.gently()
                return _watch(session, stop, show.refresh, timeout_seconds)
        except KeyboardInterrupt:  # only while it starts
            return {"stopped_by": "signal"}


def _watch(
    session: Session, stop: Stop, refresh: Callable[[], None], timeout_seconds: float | None
) -> dict[str, Any]:
    from pipeline.cli.up import finish

    once = timeout_seconds is not None
    deadline = time.monotonic() + timeout_seconds if timeout_seconds is not None else math.inf
    while not stop.wait(_POLL_SECONDS):
        session.keep_alive()
        refresh()
        ready = session.is_ready()  # asked for its errors, too
        if once and ready and session.watch.newest.all_fresh:
            return finish.summary(session, "fresh") | finish.compared(session)
        if time.monotonic() > deadline:
            return finish.summary(session, "timeout") | finish.not_fresh(session)
    return finish.summary(session, "signal")


def _tell(report: dict[str, Any]) -> None:
    """Say in a few lines how --exit-when-fresh went."""
    for line in told(report):
        note(line)


def told(report: dict[str, Any]) -> list[str]:
    """Return the summary in plain words."""
    if report["stopped_by"] == "signal":
        return ["Stopped before all was fresh."]
    records = number(sum(report["records"].values()))
    if report["stopped_by"] == "fresh":
        differences = report["differences"]
        compared = {None: "", 0: "; all of it as at the provider"}.get(
            differences, f"; {counted(differences or 0, 'difference')}"
        )
        return [
            f"{counted(report['users'], 'user')} with {records} records fresh "
            f"in {report['seconds']} s{compared}.",
            *report.get("examples", ()),
        ]
    lines = [f"Not fresh in time: {report['not_fresh']} sources of users. The first of them:"]
    for state in report["first"]:
        errors = (state[name] for name in ("error", "graph_error", "search_error"))
        why = next(filter(None, errors), state["status"])
        lines.append(f"  {state['user']} {state['source']}: {why}")
    return lines
