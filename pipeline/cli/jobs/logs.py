"""`headrace jobs logs`: what a job has logged, and what it logs now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from pipeline.jobs.reading import LogLine, get, log_lines
from pipeline.jobs.redaction import masked

_LOOK_SECONDS = 1.0
_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def shown_line(line: LogLine) -> Text:
    """Return a line for a person."""
    at = f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03d} " if line.at else ""
    fields = "".join(f" {name}={masked(value)}" for name, value in line.fields.items())
    level = (f"{line.level:<7} ", _STYLES.get(line.level, "dim"))
    return Text.assemble((at, "dim"), level, masked(line.text), (fields, "dim"))


def line_document(line: LogLine) -> dict[str, Any]:
    """Return a line for `--json`."""
    fields = {name: masked(value) for name, value in line.fields.items()}
    return {"at": line.at, "level": line.level, "text": masked(line.text), "fields": fields}


def follow(message_id: str) -> Iterator[LogLine]:
    """Yield the lines there are, then new ones as they come, until the job has ended.

    Only the newest 200 are kept: of a job that logs more than that in a second, some are
    missed.
    """
    last: list[LogLine] = []
    while True:
        # Looked at first: what it logged before it ended is among the lines then.
        entry = get(message_id)
        now = log_lines(message_id)
        yield from now[overlap(last, now) :]
        last = now
        if entry is None or not entry.alive:
            return
        time.sleep(_LOOK_SECONDS)


def overlap(before: list[LogLine], now: list[LogLine]) -> int:
    """Return how many of the first lines of `now` are the last ones of `before`."""
    for gone in range(len(before) + 1):
        kept = before[gone:]
        if now[: len(kept)] == kept:
            return len(kept)
    return 0
