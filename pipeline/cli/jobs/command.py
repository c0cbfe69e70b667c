"""The commands of `headrace jobs`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.names import require_queue, suggestion
from pipeline.cli.output import AsJson, console, examples, note, print_json

if TYPE_CHECKING:
    from pipeline.cli.jobs.actions import Done
    from pipeline.jobs.reading import Page
    from pipeline.jobs.search import Query
    from pipeline.jobs.walking import Place

app = typer.Typer(rich_markup_mode="rich")

Id = Annotated[str, typer.Argument(metavar="ID", help="A message id or a job id.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace jobs",
        "headrace jobs list --state failed",
        "headrace jobs show sync:google_calendar:ada",
    ),
)
def jobs(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Find jobs, see what became of them, and act on one; without a command, list the latest."""
    if context.invoked_subcommand is None:
        list_jobs(as_json=as_json)


@app.command(
    "list",
    epilog=examples(
        "headrace jobs list --state running",
        "headrace jobs list --search ada",
        "headrace jobs list --search 'user:ada job:sync state:failed error:Transient'",
        "headrace jobs list --queue data-sync --limit 200 --json",
    ),
)
def list_jobs(
    *,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    state: Annotated[
        str | None, typer.Option(help="waiting, delayed, running, completed or failed.")
    ] = None,
    search: Annotated[str, typer.Option(metavar="TERMS", help="Only what fits all terms.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many jobs.")] = 50,
    before: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Go on where a longer list stopped.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the latest first; delayed ones last, those first that are due first.

    [bold]--search[/bold] takes terms, all of which must hold: text that is in job id,
    job or error, or a value of user: tenant: source: mailbox: connection:
    sender: job: id: error: worker: correlation: queue: or state:
    """
    query = _query(queue, state, search)
    place = _place(before)
    from pipeline.cli.jobs import views
    from pipeline.jobs.search import search as look_for
    from pipeline.probes import require

    require("redis")
    began = time.perf_counter()
    page = look_for(query, limit=limit, before=place)
    seconds = time.perf_counter() - began
    if as_json:
        found = [views.document(entry) for entry in page.jobs]
        print_json(
            {
                "jobs": found,
                "next": str(page.next) if page.next else None,
                "ids_only": [f"{name}:{of}" for name, of in page.ids_only],
                "query_ms": round(seconds * 1000, 1),
            }
        )
        return
    if page.jobs:
        console().print(views.job_table(page.jobs, datetime.now(UTC), console().width))
    note(_summary(page, query, seconds))
    if page.ids_only:
        where = ", ".join(f"{of} on {name}" for name, of in page.ids_only)
        note(f"Of many jobs only the ids were looked at ({where}); error: looks at errors.")


def _query(queue: str | None, state: str | None, search: str) -> Query:
    """Return what is asked for.  Raises WrongUse for a queue or state that there is not."""
    from dataclasses import replace

    from pipeline.jobs.layout import STATES
    from pipeline.jobs.queries import WrongQuery, checked

    try:
        query = checked(search)
    except WrongQuery as error:
        raise WrongUse(f"--search: {error}") from None
    queues = tuple(dict.fromkeys([*([queue] if queue else []), *query.queues]))
    states = tuple(dict.fromkeys([*([state] if state else []), *query.states]))
    for name in queues:
        require_queue(name)
    for name in states:
        if name not in STATES:
            hint = suggestion(name, STATES) or f"; expected one of {', '.join(STATES)}"
            raise WrongUse(f"there is no state {name!r}{hint}")
    return replace(query, queues=queues, states=states)


def _place(text: str | None) -> Place | None:
    from pipeline.jobs.walking import Place

    try:
        return Place.parsed(text) if text else None
    except ValueError as error:
        raise WrongUse(f"--before: {error}") from None


def _summary(page: Page, query: Query, seconds: float) -> str:
    if page.next:
        return f"{len(page.jobs)} jobs in {seconds * 1000:.0f} ms. More: --before {page.next}"
    if page.jobs:
        return f"{len(page.jobs)} jobs in {seconds * 1000:.0f} ms; there are no more."
    asked = query.terms or query.queues or query.states
    what = "No job is like that" if asked else "There are no jobs"
    return f"{what}; finished ones are kept as `headrace queues` says."


@app.command(
    epilog=examples(
        "headrace jobs show sync:google_calendar:ada",
        "headrace jobs show 5b1c0a77f2d3e490 --reveal",
    )
)
def show(
    identifier: Id,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show arguments in full; they may be personal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one job: what happened when, why it waits or failed, its log, what it sent.

    Of a job id, the run that is alive, else the latest; earlier ones are listed below it.
    """
    from pipeline.cli.jobs import showing
    from pipeline.cli.jobs.finding import runs

    entry, *others = runs(identifier)
    seen = showing.look(entry, others)
    if as_json:
        print_json(showing.document(seen, reveal=reveal))
        return
    for part in showing.parts(seen, datetime.now(UTC), reveal=reveal, width=console().width):
        console().print(part)


@app.command(
    epilog=examples(
        "headrace jobs logs sync:google_gmail:ada", "headrace jobs logs 5b1c0a77f2d3e490 --follow"
    )
)
def logs(
    identifier: Id,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what it logs, until it has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the newest log lines of a job: at most 200 are kept. They lag by some seconds."""
    if follow and as_json:
        raise WrongUse("--follow is for people; use --json without it")
    from pipeline.cli.jobs import logs as log
    from pipeline.cli.jobs.finding import runs
    from pipeline.jobs.reading import log_lines

    message_id = runs(identifier)[0].message_id
    if as_json:
        lines = [log.line_document(line) for line in log_lines(message_id)]
        print_json({"message_id": message_id, "lines": lines})
        return
    try:
        for line in log.follow(message_id) if follow else log_lines(message_id):
            console().print(log.shown_line(line), soft_wrap=True)
    except KeyboardInterrupt:
        return


@app.command(
    epilog=examples(
        "headrace jobs retry sync:google_gmail:ada", "headrace jobs retry 5b1c0a77f2d3e490"
    )
)
def retry(
    identifier: Id,
    *,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the outcome of a replay.")
    ] = 60,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Run a failed job again by replaying its dead letter; start a delayed one now.

    Ends with 1 if the job failed again. A failed job without an open dead letter is sent anew.
    """
    from pipeline.cli.jobs import actions
    from pipeline.cli.jobs.finding import runs

    _tell(actions.retry(runs(identifier)[0], operator(by), wait), as_json=as_json)


@app.command(epilog=examples("headrace jobs cancel sync:google_gmail:ada"))
def cancel(identifier: Id, *, as_json: AsJson = False) -> None:
    """Cancel a job that waits or is delayed; ask one that runs to stop."""
    from pipeline.cli.jobs import actions
    from pipeline.cli.jobs.finding import runs

    _tell(actions.cancel(runs(identifier)[0]), as_json=as_json)


@app.command(epilog=examples("headrace jobs promote sync:google_gmail:ada"))
def promote(identifier: Id, *, as_json: AsJson = False) -> None:
    """Let a delayed job start now, whatever it was delayed for."""
    from pipeline.cli.jobs import actions
    from pipeline.cli.jobs.finding import runs

    _tell(actions.promote(runs(identifier)[0]), as_json=as_json)


def _tell(done: Done, *, as_json: bool) -> None:
    if as_json:
        print_json({"action": done.action, "message_id": done.message_id})
    else:
        note(f"{done.text} See `headrace jobs show {done.message_id}`.")
    if not done.ok:
        raise typer.Exit(FAILED)
