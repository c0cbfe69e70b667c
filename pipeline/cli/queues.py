"""`headrace queues`: what waits, what runs, who works on it, and by which rules."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, Cell, console, duration, examples, note, print_json, table

if TYPE_CHECKING:
    from pipeline.jobs.looking import Seen
    from pipeline.queues import Queue

app = typer.Typer(rich_markup_mode="rich")

_WATCH_SECONDS = 1.0
#: On a narrower terminal there is no room for how much history is kept.
_WIDE = 120


@app.command(
    epilog=examples("headrace queues", "headrace queues --watch", "headrace queues --json")
)
def queues(
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look every second, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show each queue: its jobs by state, how long the oldest waits, workers, pauses and rules."""
    if watch and as_json:
        raise WrongUse("--watch is for people; use --json without it")
    from pipeline.jobs.looking import look
    from pipeline.probes import require

    require("redis")
    if as_json:
        now = datetime.now(UTC)
        print_json({"at": now, "queues": [seen.as_document() for seen in look()]})
    elif watch:
        _watch()
    else:
        seen, now = look(), datetime.now(UTC)
        for part in (*shown(seen, now), "", rules_table(seen, console().width)):
            console().print(part)
        _note_other_pauses()


def _note_other_pauses() -> None:
    from pipeline.jobs import controls

    others = [p.scope for p in controls.pauses() if not p.scope.startswith("queue:")]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        note(f"Also paused: {', '.join(others[:3])}{more}; see `headrace pause`.")


def shown(all_seen: Sequence[Seen], now: datetime) -> list[RenderableType]:
    """Return the queues as they are now, and below why nothing moves in some."""
    columns = ("queue", "waiting", "delayed", "running", "failed", "oldest", "status")
    remarks = [Text(remark, style="yellow") for seen in all_seen for remark in _remarks(seen, now)]
    return [_unfolded(table(None, columns, map(_states, all_seen))), *remarks]


def _unfolded(made: Table) -> Table:
    for column in made.columns:
        column.no_wrap = True
    return made


def _states(seen: Seen) -> list[Cell]:
    depth = seen.depth
    running = f"{depth.running} of {seen.places}" if seen.workers else str(depth.running)
    return [
        Text(seen.queue.name, style="" if seen.has_jobs else "dim"),
        _count(depth.waiting),
        _count(depth.delayed),
        Text(running, style="" if depth.running else "dim"),
        _count(depth.failed, "red"),
        duration(depth.oldest_seconds) if depth.waiting else "",
        _status(seen),
    ]


def _count(count: int, style: str = "") -> Text:
    return Text(f"{count:,}", style=style if count else "dim")


def _status(seen: Seen) -> Text:
    if seen.pauses:
        return Text("paused", style="yellow")
    if seen.unserved:
        return Text("no workers", style="bold red")
    if not seen.workers:
        return Text("no workers" if seen.has_jobs else "", style="dim")
    return Text("1 worker" if len(seen.workers) == 1 else f"{len(seen.workers)} workers")


def _remarks(seen: Seen, now: datetime) -> Iterator[str]:
    for pause in seen.pauses:
        reason = f": {pause.reason}" if pause.reason else ""
        left = f" ({duration((pause.until - now).total_seconds())} to go)" if pause.until else ""
        yield f"{seen.queue.name} is paused by {pause.by or 'somebody'}{reason}{left}"
    if seen.unserved and not seen.pauses:
        yield f"{seen.queue.name} has waiting jobs and no worker; see `dramatiq actors -Q`"


#: With the attempts come the waits before the second and the following.
RULES = ("priority", "attempts", "per worker", "limits")


def rules_table(all_seen: Sequence[Seen], width: int) -> RenderableType:
    """Return by which rules the queues run, as far as there is room."""
    from pipeline.jobs.looking import kept_in_words

    kept = ("keeps completed", "failed") if width >= _WIDE else ()
    rows: list[list[Cell]] = []
    for seen in all_seen:
        queue = seen.queue
        keeps = [kept_in_words(k) for k in (queue.keep_completed, queue.keep_failed) if kept]
        rows.append([queue.name, *rules(queue), *keeps])
    return _unfolded(table(None, ("queue", *RULES, *kept), rows))


def rules(queue: Queue) -> list[Cell]:
    """Return what the table of queues says of one, in the order of RULES."""
    from pipeline.jobs.looking import attempts_in_words, limits_in_words

    told, limits = attempts_in_words(queue), limits_in_words(queue)
    return [queue.priority, told, queue.concurrency, limits]


def _watch() -> None:
    """Show the queues again and again, without their rules."""
    from rich.live import Live

    from pipeline.jobs.looking import look

    screen = console()
    try:
        with Live(console=screen, auto_refresh=False, screen=screen.is_terminal) as live:
            while True:
                now = datetime.now(UTC)
                title = Text(f"{now:%H:%M:%S} UTC, Ctrl-C ends", style="dim")
                live.update(Group(*shown(look(), now), "", title), refresh=True)
                time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        return
