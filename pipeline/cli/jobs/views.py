"""How jobs are listed: a table for people, documents for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.cli.output import age, duration, table
from pipeline.jobs.entries import Entry
from pipeline.jobs.redaction import arguments_of, masked

#: Colours of states, wherever they are shown.
STYLES = {
    "waiting": "cyan",
    "delayed": "yellow",
    "running": "blue",
    "completed": "green",
    "failed": "red",
}
#: From this width on there is room for details.
_WIDE = 130
#: Columns that may get narrower than what is in them, down to this.
_LEAST = {"job id": 24, "why": 20}
#: Space between two columns.
_GAP = 2


def document(entry: Entry, *, reveal: bool = False) -> dict[str, Any]:
    """Return a job for `--json`; its arguments by name, redacted unless `reveal`."""
    shown = asdict(entry)
    if not reveal:
        shown["job_id"] = masked(entry.job_id)
        shown["scopes"] = [masked(scope) for scope in entry.scopes]
    readable = entry.arguments is not None
    return shown | {"arguments": arguments_of(entry, reveal=reveal) if readable else None}


def job_table(entries: Sequence[Entry], now: datetime, width: int) -> Table:
    """Return jobs, a row each; on a wide terminal with the details of each."""
    wide = width >= _WIDE
    columns = ["message id", "job id", "state", "when"]
    columns += ["queue", "tries", "wait", "run", "why"] if wide else []
    rows = [_row(entry, now, wide=wide) for entry in entries]
    made = table(None, columns, rows)
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    widths = [
        max([len(name), *(cell.cell_len for cell in column)])
        for name, column in zip(columns, cells, strict=True)
    ]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    for name in ("why", "job id"):
        if name in columns and excess > 0:
            at = columns.index(name)
            given = min(excess, max(0, widths[at] - _LEAST[name]))
            widths[at], excess = widths[at] - given, excess - given
    for name, column, column_width in zip(columns, made.columns, widths, strict=True):
        column.width = column_width
        # A long id goes on in the next line; what is cut off a reason, `jobs show` has.
        column.no_wrap = name != "job id"
        column.overflow = "fold" if name == "job id" else "ellipsis"
    return made


def _row(entry: Entry, now: datetime, *, wide: bool) -> list[Text]:
    style = STYLES.get(entry.state, "")
    told = entry.state if wide else f"{entry.state}{_short(entry)}"
    row = [
        Text(entry.message_id),
        Text(masked(entry.job_id) or "–"),
        Text(told, style=style),
        Text(when(entry, now)),
    ]
    if wide:
        numbers = (str(entry.attempts), milliseconds(entry.wait_ms), milliseconds(entry.run_ms))
        row += map(Text, (entry.queue, *numbers))
        row.append(Text(why(entry), style=style if entry.failure else ""))
    return row


def when(entry: Entry, now: datetime) -> str:
    """Return since when it is in its state as far as that is known, or when it is due."""
    if entry.due_at is not None:
        left_seconds = (entry.due_at - now).total_seconds()
        return f"in {duration(left_seconds)}" if left_seconds > 0 else "now"
    since = entry.since or entry.finished_at or entry.started_at or entry.enqueued_at
    return age(since, now) if since else "–"


def why(entry: Entry) -> str:
    """Return why it failed, is delayed or what it did, in one line."""
    if entry.state == "running" and entry.progress:
        return f"{entry.progress.fraction:.0%} {entry.progress.text}".rstrip()
    if entry.state == "completed":
        return entry.summary
    error = failure(entry)
    if entry.state == "failed":
        return error
    return ": ".join(filter(None, (entry.why, error)))


def failure(entry: Entry) -> str:
    """Return its error as class and message."""
    found = entry.failure
    return ": ".join(filter(None, (found.error, found.message))) if found else ""


def _short(entry: Entry) -> str:
    found = entry.failure
    return f", {found.error}" if found and entry.state == "failed" else ""


def milliseconds(value: int | None) -> str:
    """Return a short duration exactly, a long one as everywhere."""
    if value is None:
        return "–"
    if value < 1000:
        return f"{value} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else duration(value / 1000)
