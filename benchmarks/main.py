"""`headrace bench`: starts stores and a sandbox of its own, measures, and leaves nothing."""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.index.steps import IndexStep
from benchmarks.mailbox.steps import MailboxStep
from benchmarks.outreach.steps import OutreachStep
from benchmarks.queue.steps import Size, Step
from benchmarks.web.steps import WebStep

COLUMNS = ("measure", "value", "min - max", "target", "met")

app = typer.Typer(no_args_is_help=True, help="Measure speed and memory, side by side in one run.")


@app.callback()
def main() -> None:
    """Measure speed and memory, side by side in one run."""


@app.command()
def sync(
    records: Annotated[int, typer.Option(help="Events of the user that is landed.")] = 20_000,
    rounds: Annotated[int, typer.Option(help="How often each side runs, in turn.")] = 3,
    big: Annotated[int, typer.Option(help="Records of the user that a worker lands.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Landing against a bare loop, landing with the graph, memory, and an idle sync.

    The bare loop reads the same pages with the same client library straight
    into pymongo's bulk_write.

    Example: headrace bench sync --records 20000 --rounds 3
    """
    from benchmarks import sync as bench

    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        results = bench.run(Path(folder), records, rounds, big, progress.log)
    _show("sync", results, as_json=as_json)


@app.command()
def queue(
    jobs: Annotated[int, typer.Option(min=1, help="Jobs of each side in each round.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each side runs, in turn.")] = 5,
    waiting: Annotated[
        int, typer.Option(min=1, help="Jobs that wait or are delayed, where many must.")
    ] = 100_000,
    idle_seconds: Annotated[
        float, typer.Option(min=1, help="How long idle workers are watched.")
    ] = 30,
    only: Annotated[
        list[Step] | None, typer.Option(help="Measure only this; may be given again.")
    ] = None,
    bullmq: Annotated[bool, typer.Option(help="Compare with BullMQ, if node is there.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Our broker against bare Dramatiq and BullMQ: rates, lateness, idling, memory, search.

    The rates are of jobs that do nothing, each with an id of its own, for 500
    users of 20 tenants.  Processing is timed from the first start to the last
    end of jobs that were enqueued before, by 2 processes with 8 threads each.

    Example: headrace bench queue --only rates --jobs 10000 --rounds 5
    """
    from benchmarks.queue import run as bench

    size = Size(jobs, rounds, waiting, idle_seconds)
    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        steps = only or list(Step)
        results = bench.run(Path(folder), size, steps, progress.log, with_bullmq=bullmq)
    _show("queue", results, as_json=as_json)


@app.command()
def web(
    users: Annotated[int, typer.Option(min=200, help="Users of the fleet.")] = 10_000,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs that wait meanwhile.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    only: Annotated[
        list[WebStep] | None, typer.Option(help="Measure only this; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """How many webhooks one process accepts, every admin page, and from a change to the graph.

    Stores, web and what drives them share this machine's cores.  Pages and
    webhooks are measured while the jobs wait and no worker runs; pushes with
    workers, from the sandbox's change to the node in the graph.

    Example: headrace bench web --only pages --users 10000 --jobs 100000
    """
    from benchmarks.web import run as bench

    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        steps = only or list(WebStep)
        results = bench.run(Path(folder), users, jobs, rounds, steps, progress.log)
    _show("web", results, as_json=as_json)


@app.command()
def mailbox(
    mailboxes: Annotated[
        int, typer.Option(min=1, help="Mailboxes that one mail each comes to.")
    ] = 1000,
    rate: Annotated[float, typer.Option(min=0.1, help="So many of these come in a second.")] = 2,
    events: Annotated[int, typer.Option(min=1000, help="Events of the one analyzed.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often it is analyzed.")] = 3,
    only: Annotated[
        list[MailboxStep] | None, typer.Option(help="Measure only this; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """An idle delta sync, finding habits, and from a new mail to what a rule does with it.

    Stores, sandbox, web and workers share this machine's cores.  Mail comes to one
    mailbox after the other; each is timed from the moment at which it was to come.

    Example: headrace bench mailbox --only push --mailboxes 1000 --rate 2
    """
    from benchmarks.mailbox import run as bench

    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        steps = only or list(MailboxStep)
        results = bench.run(Path(folder), mailboxes, rate, events, rounds, steps, progress.log)
    _show("mailbox", results, as_json=as_json)


@app.command()
def outreach(
    contacts: Annotated[int, typer.Option(min=10, help="Contacts of the campaign.")] = 100_000,
    timers: Annotated[int, typer.Option(min=10, help="Contacts whose timers are timed.")] = 1000,
    only: Annotated[
        list[OutreachStep] | None, typer.Option(help="Measure only this; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """A campaign from its contacts' file to their clicks, and how late timers and sends are.

    Stores, sandbox, web and workers share this machine's cores; a message counts once the
    sandbox has it, an event once its contact has moved on. No limits are set.

    Example: headrace bench outreach --contacts 10000
    """
    from benchmarks.outreach import run as bench

    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        steps = only or list(OutreachStep)
        results = bench.run(Path(folder), contacts, timers, steps, progress.log)
    _show("outreach", results, as_json=as_json)


@app.command()
def index(
    records: Annotated[int, typer.Option(min=1000, help="Mails that are made findable.")] = 100_000,
    mails: Annotated[int, typer.Option(min=100, help="Mails that are sent.")] = 2000,
    opensearch: Annotated[
        str, typer.Option(metavar="URL", help="An OpenSearch that is measured, too.")
    ] = "",
    only: Annotated[
        list[IndexStep] | None, typer.Option(help="Measure only this; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Search, with rebuilds beside it; mail to a server that takes all; syncs beside AI.

    Stores and what drives them share this machine's cores. A gap is a search beside a rebuild
    that finds fewer documents than there are. AI is a model that takes a second to answer, and
    has a long line of requests.

    Example: headrace bench index --only search --records 20000
    """
    from benchmarks.index import run as bench

    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        steps = only or list(IndexStep)
        results = bench.run(Path(folder), records, mails, opensearch, steps, progress.log)
    _show("index", results, as_json=as_json)


def machine() -> str:
    """Return the machine's shape."""
    memory_gib = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count()
    return f"{cores} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}"


def _show(name: str, results: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    """Print the results: as one JSON document, or as a table."""
    if as_json:
        typer.echo(json.dumps({"machine": machine(), **results}))
        return
    rows = [_cells(measure, row) for measure, row in results.items()]
    filled = [n for n, _ in enumerate(COLUMNS) if any(row[n] for row in rows)]
    table = Table(title=f"headrace bench {name} ({machine()})")
    for n in filled:
        table.add_column(COLUMNS[n], justify="right" if COLUMNS[n] == "value" else "left")
    for row in rows:
        table.add_row(*(row[n] for n in filled))
    Console().print(table)


def _cells(measure: str, row: dict[str, Any]) -> tuple[str, ...]:
    """Return what stands in the columns; a row need not have more than a value."""
    between = f"{row['min']:,} - {row['max']:,}" if "min" in row else ""
    met = ("yes" if row["met"] else "NO") if "met" in row else ""
    value = row["value"] if isinstance(row["value"], str) else f"{row['value']:,}"
    return measure.replace("_", " "), value, between, row.get("target", ""), met
