"""Everything about one job, as `headrace jobs show` tells it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.cli.jobs import views
from pipeline.cli.jobs.logs import line_document, shown_line
from pipeline.cli.output import Cell, age, duration, table
from pipeline.jobs.entries import Entry
from pipeline.jobs.explaining import Reason, what_holds
from pipeline.jobs.reading import LogLine, children, get, log_lines
from pipeline.jobs.redaction import arguments_of, masked
from pipeline.queues import QUEUES

#: The end of its log; `headrace jobs logs` has all of it.
_LOG_LINES = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """A job with what belongs to it; `earlier` are other runs of its job id, newest first."""

    entry: Entry
    earlier: list[Entry]
    holds: list[Reason]
    log: list[LogLine]
    parent: Entry | None
    children: list[Entry]


def look(entry: Entry, earlier: Sequence[Entry]) -> Seen:
    """Return what belongs to a job."""
    parent = get(entry.parent) if entry.parent else None
    sent = children(entry.message_id) if entry.children else []
    holds, log = what_holds(entry), log_lines(entry.message_id)
    return Seen(entry, list(earlier), holds, log, parent, sent)


def document(seen: Seen, *, reveal: bool) -> dict[str, Any]:
    """Return it for `--json`."""
    return views.document(seen.entry, reveal=reveal) | {
        "holds": [asdict(reason) | {"text": masked(reason.text)} for reason in seen.holds],
        "log": [line_document(line) for line in seen.log],
        "sent": [views.document(child, reveal=reveal) for child in seen.children],
        "earlier_runs": [views.document(run, reveal=reveal) for run in seen.earlier],
    }


def parts(seen: Seen, now: datetime, *, reveal: bool, width: int) -> Iterator[RenderableType]:
    """Return it for a person, part by part."""
    entry = seen.entry
    title = entry.job_id if reveal else masked(entry.job_id)
    yield Text.assemble((title, "bold"), "  ", (entry.state, views.STYLES.get(entry.state, "")))
    yield _pairs(_facts(seen, reveal=reveal))
    if events := _events(entry, now):
        yield from _section("What happened", _pairs(events))
    if seen.holds:
        yield from _section("What holds it up", *(_held(reason, now) for reason in seen.holds))
    if entry.failure:
        yield from _section("Error", Text(_error(entry), style="red"))
    if entry.traceback:
        yield from _section("Where it failed", Text(entry.traceback.rstrip()))
    if seen.log:
        more = f" (of {len(seen.log)})" if len(seen.log) > _LOG_LINES else ""
        lines = (shown_line(line) for line in seen.log[-_LOG_LINES:])
        yield from _section(f"Its last log lines{more}", *lines)
    if seen.children:
        more = f" ({entry.children} in all)" if entry.children > len(seen.children) else ""
        yield from _section(f"Jobs that it sent{more}", views.job_table(seen.children, now, width))
    if seen.earlier:
        yield from _section("Other runs of it", views.job_table(seen.earlier, now, width))


def _error(entry: Entry) -> str:
    reason = entry.failure.reason if entry.failure else ""
    return f"{views.failure(entry)} ({reason})" if reason else views.failure(entry)


def _section(title: str, *lines: RenderableType) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", style="bold")
    yield from lines


def _pairs(rows: list[list[Cell]]) -> RenderableType:
    """Return rows without a header; those without a value are left out."""
    made = table(None, [""] * len(rows[0]), [row for row in rows if row[1] not in ("", None)])
    made.show_header = False
    made.columns[0].style = "dim"
    made.columns[0].no_wrap = True
    return made


def _facts(seen: Seen, *, reveal: bool) -> list[list[Cell]]:
    entry = seen.entry
    arguments = arguments_of(entry, reveal=reveal)
    told = ", ".join(f"{name} {value}" for name, value in arguments.items())
    scopes = [scope if reveal else masked(scope) for scope in entry.scopes]
    return [
        ["message id", entry.message_id],
        ["job", f"{entry.job} on {entry.queue}"],
        ["arguments", told if entry.arguments is not None else "(cannot be read)"],
        ["scopes", ", ".join(scopes)],
        ["attempts", _attempts(entry)],
        ["worker", entry.worker],
        ["progress", _progress(entry)],
        ["summary", entry.summary],
        ["sent by", _parent(seen)],
        ["correlation id", entry.correlation_id],
        ["release", entry.release],
        ["again", "it was asked for while it ran, and runs once more" if entry.runs_again else ""],
    ]


def _attempts(entry: Entry) -> str:
    queue = QUEUES.get(entry.queue)
    counted = f"{entry.attempts} of {queue.attempts}" if queue else str(entry.attempts)
    more = [
        f"deliveries: {entry.deliveries}" if entry.deliveries > entry.attempts else "",
        f"put off by a limit: {entry.deferrals}" if entry.deferrals else "",
        f"workers that died under it: {entry.deaths}" if entry.deaths else "",
    ]
    return "; ".join(filter(None, (counted, *more)))


def _progress(entry: Entry) -> str:
    if entry.progress is None:
        return ""
    return f"{entry.progress.fraction:.0%} {entry.progress.text}".rstrip()


def _parent(seen: Seen) -> str:
    parent = seen.entry.parent
    return f"{parent} ({masked(seen.parent.job_id)})" if seen.parent else parent


def _events(entry: Entry, now: datetime) -> list[list[Cell]]:
    """Return what happened when, oldest first."""
    waited, ran = views.milliseconds(entry.wait_ms), views.milliseconds(entry.run_ms)
    events: list[tuple[str, datetime | None, str]] = [
        ("enqueued", entry.enqueued_at, ""),
        ("last started", entry.started_at, f"after waiting {waited}" if entry.wait_ms else ""),
        (entry.state, entry.finished_at, f"after running {ran}"),
    ]
    if entry.state == "waiting" and entry.since != entry.enqueued_at:
        events.append(("waits again", entry.since, entry.why))
    if entry.due_at:
        events.append(("due", entry.due_at, ""))
    return [
        [what, _clock(moment), _distance(moment, now), detail]
        for what, moment, detail in events
        if moment is not None
    ]


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def _distance(moment: datetime, now: datetime) -> str:
    ahead_seconds = (moment - now).total_seconds()
    return f"in {duration(ahead_seconds)}" if ahead_seconds > 0 else age(moment, now)


def _held(reason: Reason, now: datetime) -> Text:
    left_seconds = (reason.until - now).total_seconds() if reason.until else 0
    end = f" ({duration(left_seconds)} to go)" if left_seconds > 0 else ""
    return Text(f"• {masked(reason.text)}{end}", style="yellow")
