"""`headrace status`: how fresh the copies are, what waits, and what fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from pipeline.cli.exits import FAILED, NO_ANSWER
from pipeline.cli.output import (
    AsJson,
    Cell,
    age,
    console,
    duration,
    examples,
    number,
    percent,
    print_json,
    table,
)

if TYPE_CHECKING:
    from pipeline.freshness import SourceFreshness
    from pipeline.jobs.controls import Pause
    from pipeline.jobs.reading import Depth
    from pipeline.users.backfill import Backfill
    from pipeline.users.fleet import Failure, ProjectionFailure, Rejections

app = typer.Typer(rich_markup_mode="rich")

#: More pauses than this are only counted.
MOST_PAUSES = 20


@app.command(
    epilog=examples("headrace status", "headrace status user0003", "headrace status --json")
)
def status(
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Only this user.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show freshness, queues, what is paused, how far the graph lags, and who fails and why.

    Ends with 4 if a store does not answer (and still shows what the others know), with 1 if
    something fails, waits for its user, or lies in the dead letters.
    """
    found = look(user)
    if as_json:
        print_json(found.as_document())
    else:
        for part in _shown(found):
            console().print(part)
    if any(found.stores.values()):
        raise typer.Exit(NO_ANSWER)
    if found.something_fails:
        raise typer.Exit(FAILED)


@dataclass(slots=True)
class Found:
    """What the stores that answer know.  `stores` has the problem of each, None if it answers."""

    at: datetime
    user: str | None
    stores: dict[str, str | None]
    sources: list[SourceFreshness] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    backfills: list[Backfill] = field(default_factory=list)
    graph_failures: list[ProjectionFailure] = field(default_factory=list)
    search_failures: list[ProjectionFailure] = field(default_factory=list)
    rejections: list[Rejections] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    queues: dict[str, Depth] = field(default_factory=dict)
    pauses: list[Pause] = field(default_factory=list)
    dead_letters: dict[str, int] = field(default_factory=dict)

    @property
    def something_fails(self) -> bool:
        """Whether anything does not mend itself, or has not yet."""
        failing = any(failure.status != "rate_limited" for failure in self.failures)
        return bool(failing or self.graph_failures or self.search_failures or self.dead_letters)

    def as_document(self) -> dict[str, Any]:
        """Return it for `--json`."""
        document = {
            "at": self.at,
            "user": self.user,
            "stores": self.stores,
            "sources": [asdict(source) | {"share": source.share} for source in self.sources],
            "failures": [asdict(f) | {"next": f.what_next} for f in self.failures],
            "backfills": [asdict(backfill) for backfill in self.backfills],
            "graph_failures": [asdict(failure) for failure in self.graph_failures],
            "search_failures": [asdict(failure) for failure in self.search_failures],
            "rejected": [asdict(rejections) for rejections in self.rejections],
            "queues": {
                name: asdict(depth) | {"dead_letters": self.dead_letters.get(name, 0)}
                for name, depth in self.queues.items()
            },
            "pauses": [asdict(pause) for pause in self.pauses],
        }
        return document | ({"runs": self.runs} if self.user else {})


def look(user: str | None) -> Found:
    """Ask every store that answers.  Raises WrongUse for an unknown user."""
    from pipeline.cli.names import require_user
    from pipeline.dead_letters import open_by_queue
    from pipeline.freshness import by_source
    from pipeline.jobs.controls import pauses
    from pipeline.jobs.reading import depths
    from pipeline.probes import problems
    from pipeline.queues import QUEUES
    from pipeline.users import fleet

    found = Found(datetime.now(UTC), user, problems())
    if not found.stores["mongodb"]:
        if user is not None:
            require_user(user)
            found.runs = fleet.runs(user)
        found.sources = [source for source in by_source(found.at, user) if source.users]
        found.failures = fleet.failures(user)
        found.backfills = fleet.backfills(user)
        found.graph_failures = fleet.projection_failures("graph", user)
        found.search_failures = fleet.projection_failures("search", user)
        found.rejections = fleet.rejections(user)
        found.dead_letters = {} if user else open_by_queue()
    if not found.stores["redis"]:
        found.queues = depths(QUEUES)
        found.pauses = pauses()
    return found


def _shown(found: Found) -> Iterator[RenderableType]:
    for problem in filter(None, found.stores.values()):
        yield Text(f"{problem}.", style="bold red")
    if not found.stores["mongodb"]:
        if not found.sources:
            yield Text("Nobody is connected yet: see `headrace connect --help`.")
        else:
            yield _freshness(found)
    if found.queues:
        yield Text("")
        yield _queues(found)
    if found.pauses:
        yield Text("")
        yield from _pauses(found)
    sections = (_failures, _graph_failures, _search_failures, _backfills, _rejections, _runs)
    for title, columns, rows in (section(found) for section in sections):
        if rows:
            yield Text("")
            yield table(title, columns, rows)


def _freshness(found: Found) -> RenderableType:
    columns = ("source", "users", "fresh", "target", "oldest", "due", "statuses")
    rows: list[list[Cell]] = []
    for source in found.sources:
        statuses = ", ".join(
            f"{number(count)} {name}" for name, count in sorted(source.statuses.items())
        )
        share = Text(percent(source.share), style="green" if source.share == 1 else "yellow")
        times = (duration(source.target_seconds), duration(source.oldest_seconds))
        counts: list[Cell] = [source.records, source.rejected, source.lag]
        rows.append([source.source, source.users, share, *times, source.due, statuses, *counts])
    return table("Freshness", (*columns, "records", "rejected", "graph behind"), rows)


def _queues(found: Found) -> RenderableType:
    from pipeline.jobs.names import queues_with_jobs

    columns = ("queue", "waiting", "running", "delayed", "dead letters", "oldest waits")
    served = {queue.name for queue in queues_with_jobs()}
    rows: list[list[Cell]] = []
    for name, depth in found.queues.items():
        counts = [depth.waiting, depth.running, depth.delayed, found.dead_letters.get(name, 0)]
        if name in served or any(counts):
            rows.append([name, *counts, duration(depth.oldest_seconds or None)])
    return table("Queues", columns, rows)


def _pauses(found: Found) -> Iterator[Text]:
    from pipeline.sync.held import in_words

    for pause in found.pauses[:MOST_PAUSES]:
        yield Text(in_words(pause), style="yellow")
    if len(found.pauses) > MOST_PAUSES:
        yield Text(f"and {number(len(found.pauses) - MOST_PAUSES)} more pauses: see --json")


_Section = tuple[str, tuple[str, ...], list[list[Cell]]]


def _failures(found: Found) -> _Section:
    columns = ("source", "users", "such as", "why", "last success", "next try", "what happens")
    return (
        "What fails or waits",
        columns,
        [
            [
                failure.source,
                failure.users,
                ", ".join(failure.examples),
                Text(failure.message or failure.status, style="yellow"),
                age(failure.since, found.at),
                _until(failure.next_try, found.at),
                failure.what_next,
            ]
            for failure in found.failures
        ],
    )


def _until(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "–"
    seconds = (moment - now).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def _backfills(found: Found) -> _Section:
    columns = ("user", "source", "items so far", "of about", "done in")
    return (
        "Listings under way",
        columns,
        [[b.user, b.source, b.done, b.total, duration(b.seconds_left)] for b in found.backfills],
    )


def _graph_failures(found: Found) -> _Section:
    return _lagging("Why the graph lags", found.graph_failures, found.at)


def _search_failures(found: Found) -> _Section:
    return _lagging("Why search lags", found.search_failures, found.at)


def _lagging(title: str, failures: list[ProjectionFailure], now: datetime) -> _Section:
    rows: list[list[Cell]] = [
        [one.users, one.reason, _until(one.next_try, now)] for one in failures
    ]
    return title, ("users", "why", "next try"), rows


def _rejections(found: Found) -> _Section:
    columns = ("source", "items", "why", "newest")
    return (
        "Set aside until a whole version comes",
        columns,
        [[r.source, r.items, r.reason, age(r.newest, found.at)] for r in found.rejections],
    )


def _runs(found: Found) -> _Section:
    columns = ("source", "when", "outcome", "seconds", "calls", "changes", "why")
    return (
        "Newest syncs",
        columns,
        [
            [
                run["source"],
                age(run["started_at"], found.at),
                run["outcome"],
                f"{run['seconds']:.1f}",
                run["calls"],
                run["created"] + run["updated"] + run["deleted"],
                (run["error"] or {}).get("message", ""),
            ]
            for run in found.runs
        ],
    )
