"""`make docs`: writes the tables that code knows best into README.md and deploy/README.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pipeline.cli.settings import as_markdown as settings_table
from pipeline.metrics import documented
from pipeline.queues import DAY, HOUR, JOBS, QUEUES, Keep, Queue


def metrics_table() -> str:
    """Return the table of all metrics, in Markdown."""
    head = "| metric | type | labels | of | meaning |\n|---|---|---|---|---|"
    rows = [
        f"| `{n}` | {kind} | {labels} | {of} | {m} |" for n, kind, labels, of, m in documented()
    ]
    return "\n".join([head, *rows])


def queues_table() -> str:
    """Return the queue table, in Markdown."""
    head = (
        "| queue | jobs | attempts, waits between them | priority | at a time | completed kept"
        " | failed kept |\n|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| `{queue.name}` | {_jobs(queue)} | {queue.attempts}: {_waits(queue)} | {queue.priority}"
        f" | {_at_a_time(queue)} | {_kept(queue.keep_completed)} | {_kept(queue.keep_failed)} |"
        for queue in QUEUES.values()
    ]
    return "\n".join([head, *rows])


def _jobs(queue: Queue) -> str:
    return ", ".join(f"`{job.name}`" for job in JOBS.values() if job.queue is queue)


def _waits(queue: Queue) -> str:
    waits = (queue.backoff_before_ms(attempt) for attempt in range(2, queue.attempts + 1))
    return ", ".join(f"{wait / 1000:g}" for wait in waits) + " s"


def _at_a_time(queue: Queue) -> str:
    bounds = [f"{queue.concurrency} per process"]
    if queue.one_per:
        bounds.append(f"1 per {queue.one_per}")
    bounds += [
        f"{limit.starts} starts in {limit.seconds:g} s per {limit.scope}" for limit in queue.limits
    ]
    return ", ".join(bounds)


def _kept(keep: Keep) -> str:
    if keep.seconds is None:
        return f"{keep.count}"
    days, hours = keep.seconds / DAY, keep.seconds / HOUR
    return f"{keep.count}, {days:g} d" if days > 1 else f"{keep.count}, {hours:g} h"


#: Document, marker in it, and what stands between `<!-- marker -->` and `<!-- /marker -->`.
TABLES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "settings", settings_table),
    ("deploy/README.md", "metrics", metrics_table),
    ("deploy/README.md", "queues", queues_table),
)


def filled(text: str, marker: str, table: str) -> str:
    """Return `text` with `table` between its markers.  Raises ValueError if there are none."""
    pattern = re.compile(f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"expected <!-- {marker} --> once, found {count}")
    return replaced


def main(root: Path) -> None:
    """Write every table into its document below `root`."""
    for name, marker, table in TABLES:
        document = root / name
        document.write_text(filled(document.read_text(), marker, table()))


if __name__ == "__main__":
    main(Path.cwd())
