"""What a person sees of `headrace up`, as tables or in one line."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.cli.output import Cell, duration, number, percent, table
from pipeline.cli.up.session import Session
from pipeline.cli.up.watch import Snapshot
from pipeline.config import settings
from pipeline.embedded import ChildState
from pipeline.freshness import SourceFreshness
from pipeline.sync.held import in_words

SOURCE_COLUMNS = (
    *("source", "users", "fresh", "due", "syncing", "waiting for quota", "failing"),
    *("records", "oldest", "graph behind"),
)
_PAUSES_SHOWN = 5
QUEUE_COLUMNS = ("queue", "waiting", "running", "delayed", "dead letters", "oldest")


def view(session: Session) -> RenderableType:
    """Return the live view."""
    events = [Text(line, style="dim") for line in session.events.newest]
    if session.phase != "running":
        return Group(Text.assemble(("Headrace", "bold"), f" is {session.phase} …"), *events)
    snapshot = session.watch.newest
    parts: list[RenderableType] = [_headline(session, snapshot), ""]
    if snapshot.problems:
        parts += [_problem_lines(snapshot), ""]
    if not snapshot.users and not session.demo:
        parts += [Text("Nobody is connected yet: see `headrace connect --help`."), ""]
    parts += [table(None, SOURCE_COLUMNS, [source_row(source) for source in snapshot.sources])]
    parts += [Text(in_words(pause), style="yellow") for pause in snapshot.pauses[:_PAUSES_SHOWN]]
    parts += ["", _queues(snapshot), "", _processes(session), "", _addresses(session), ""]
    return Group(*parts, *events, Text("Ctrl-C stops everything.", style="dim italic"))


def plain_line(session: Session) -> str:
    """Return the same in one line, for a log."""
    snapshot = session.watch.newest
    parts = [
        f"{number(snapshot.users)} users",
        f"{number(snapshot.total('fresh'))}/{number(snapshot.total('users'))} sources fresh",
        f"{number(snapshot.total('due'))} due",
        f"{number(snapshot.in_status('syncing'))} syncing",
        f"{number(snapshot.in_status('error', 'needs_reauth'))} failing",
        f"{number(snapshot.total('records'))} records",
        f"{snapshot.landed_per_second:,.0f} changes/s",
        f"{number(sum(depth.waiting for depth in snapshot.depths.values()))} jobs wait",
        f"graph {number(snapshot.total('lag'))} behind",
        f"search {number(snapshot.search_behind)} behind",
        *(f"{name} does not answer ({why})" for name, why in snapshot.problems.items()),
    ]
    return f"{snapshot.at:%H:%M:%S} {', '.join(parts)}"


def source_row(source: SourceFreshness) -> list[Cell]:
    """Return the cells of SOURCE_COLUMNS."""
    statuses = source.statuses
    failing = statuses.get("error", 0) + statuses.get("needs_reauth", 0)
    return [
        source.source,
        source.users,
        Text(percent(source.share), style="green" if source.share == 1 else "yellow"),
        source.due,
        statuses.get("syncing", 0),
        statuses.get("rate_limited", 0),
        Text(number(failing), style="red" if failing else ""),
        source.records,
        duration(source.oldest_seconds),
        source.lag,
    ]


def _headline(session: Session, snapshot: Snapshot) -> Text:
    demo = session.demo
    made = f", {demo.connected} of {demo.count} demo users" if demo else ""
    return Text.assemble(
        ("Headrace", "bold"),
        f"  {number(snapshot.users)} users{made}, {number(snapshot.total('records'))} records, "
        f"{snapshot.landed_per_second:,.0f} changes/s",
    )


def _problem_lines(snapshot: Snapshot) -> Text:
    lines = [f"{name} does not answer ({why})" for name, why in snapshot.problems.items()]
    return Text("\n".join(lines), style="red")


def _queues(snapshot: Snapshot) -> Table:
    rows: list[list[Cell]] = [
        [
            name,
            depth.waiting,
            depth.running,
            depth.delayed,
            snapshot.dead_letters.get(name, 0),
            _oldest(depth.waiting, depth.oldest_seconds),
        ]
        for name, depth in snapshot.depths.items()
    ]
    return table(None, QUEUE_COLUMNS, rows)


def _oldest(waiting: int, seconds: float) -> str:
    return duration(seconds) if waiting else "–"


def _processes(session: Session) -> Table:
    rows = [_process_row(state) for state in session.supervisor.states()]
    return table(None, ("process", "state", "pid", "restarts", "last words"), rows)


def _process_row(state: ChildState) -> list[Cell]:
    running = state.status == "running"
    last = state.last_log_lines[-1] if state.last_log_lines and state.restarts else ""
    status = Text(state.status, style="green" if running else "red")
    return [state.name, status, str(state.pid or "–"), state.restarts, last[:100]]


def _addresses(session: Session) -> Table:
    grid = table(None, ("what", "where"), addresses(session))
    grid.show_header = False
    return grid


def addresses(session: Session) -> list[tuple[str, str]]:
    """Return what runs and where, without a password."""
    now = settings()
    metrics = session.metrics
    rows = [
        ("admin", f"{now.public_base_url}/admin/queues"),
        ("MongoDB", _shown(now.mongodb_uri.get_secret_value())),
        ("Redis", _shown(now.redis_url.get_secret_value())),
        ("graph (Bolt)", _shown(now.graph_uri)),
    ]
    if session.demo or session.sandbox_ports:
        rows.append(("sandbox", now.google_api_base_url))
    if session.demo and session.demo.campaign_is_at:
        rows.append(("campaign", session.demo.campaign_is_at))
    host = now.metrics_host
    for name, port in [*metrics.workers.items(), ("scheduler", metrics.scheduler)]:
        rows.append((f"{name} metrics", f"http://{host}:{port}/metrics"))
    return [*rows, ("logs", str(_relative(session.data_dir / "log")))]


def _shown(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
