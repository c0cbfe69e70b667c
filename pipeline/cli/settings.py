"""`headrace settings`: every setting, its default and what it means."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.output import AsJson, console, examples, print_json, table

app = typer.Typer(rich_markup_mode="rich")


@app.command(epilog=examples("headrace settings", "headrace settings --markdown"))
def settings(
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="As in the README.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting: the environment variable, its default and what it means.

    `headrace doctor` shows the values in force and where each comes from.
    """
    from pipeline.described_settings import described

    rows = described()
    if as_json:
        names = ("variable", "default", "meaning")
        print_json([{name: asdict(row)[name] for name in names} for row in rows])
    elif markdown:
        typer.echo(as_markdown())
    else:
        cells = [(row.variable, row.default or "(empty)", row.meaning) for row in rows]
        console().print(table(None, ("setting", "default", "meaning"), cells))


def as_markdown() -> str:
    """Return the table of settings for the README."""
    from pipeline.described_settings import described

    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for row in described():
        default = f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.variable}` | {default} | {_escaped(row.meaning)} |")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
