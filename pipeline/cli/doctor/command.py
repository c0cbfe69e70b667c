"""`headrace doctor` as a command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from pipeline.cli.exits import FAILED
from pipeline.cli.output import AsJson, console, examples, print_json, table
from pipeline.errors import HeadraceError

if TYPE_CHECKING:
    from pipeline.cli.doctor.findings import Finding

app = typer.Typer(rich_markup_mode="rich")

_MARKS = {"ok": ("✓", "green"), "note": ("·", "cyan"), "wrong": ("✗", "bold red")}


@app.command(epilog=examples("headrace doctor", "headrace doctor --json"))
def doctor(*, as_json: AsJson = False) -> None:
    """Look at every setting and every store, and say what is wrong and how to mend it.

    Asks each store a real query. Ends with 1 if anything is wrong.
    """
    from pipeline.described_settings import described

    rows = described()
    findings = list(examine())
    if as_json:
        named = [
            {"variable": row.variable, "value": row.value, "origin": row.origin} for row in rows
        ]
        print_json({"settings": named, "findings": [asdict(finding) for finding in findings]})
    else:
        cells = [
            (row.variable, row.value, Text(row.origin, style=_ORIGIN_STYLES[row.origin]))
            for row in rows
        ]
        console().print(table("Settings", ("setting", "value", "from"), cells), "")
        for finding in findings:
            console().print(_shown(finding))
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(FAILED)


_ORIGIN_STYLES = {"environment": "bold", "file": "cyan", "default": "dim"}


def examine() -> Iterator[Finding]:
    """Yield every finding; only those on settings while a setting cannot be read."""
    from pipeline.cli.doctor.surroundings import check_metrics, check_providers, check_settings

    found = list(check_settings())
    yield from found
    if all(finding.about != "settings" for finding in found):
        return
    # These read settings as they are imported or called.
    from pipeline.cli.doctor import email, graph, mongodb, outreach, redis, search
    from pipeline.cli.doctor.findings import wrong

    stores = (mongodb.check, redis.check, graph.check, search.check)
    for check in (*stores, outreach.check, email.check, check_providers, check_metrics):
        try:
            yield from check()
        except HeadraceError as error:
            yield wrong("settings", str(error), "correct it; see `headrace settings`")


def _shown(finding: Finding) -> Text:
    mark, style = _MARKS[finding.level]
    line = Text.assemble((f"{mark} ", style), (finding.about, "bold"), f": {finding.text}")
    if finding.mend:
        line.append(f"\n  → {finding.mend}", style="yellow" if finding.level == "wrong" else "dim")
    return line
