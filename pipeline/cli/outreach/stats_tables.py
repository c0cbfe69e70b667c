"""What came of messages, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from pipeline.cli.output import number, percent, table

if TYPE_CHECKING:
    from pipeline.outreach.reading.stats import Rate, Stats


def stats_table(stats: Stats) -> Table:
    """Return how many messages each thing came of, and within what the true rates are."""
    rows = [_row(name, rate) for name, rate in stats.outcomes.items()]
    title = f"{number(stats.sent)} sent, {number(stats.failed)} failed"
    title += f", {number(stats.unknown)} unknown" if stats.unknown else ""
    return table(title, ("", "messages", "rate", "95 % sure"), rows)


def _row(name: str, rate: Rate) -> tuple[str, int, str, str]:
    sure = f"{percent(rate.low)} to {percent(rate.high)}"
    return name.replace("_", " "), rate.count, percent(rate.rate), sure
