"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from pipeline.words import age as age
from pipeline.words import duration as duration
from pipeline.words import number as number
from pipeline.words import percent as percent

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]

#: What a table cell may be; plain text is never read as markup.
Cell = str | int | Text | None


def examples(*lines: str) -> str:
    """Return the epilog of a command's help: what a person would type."""
    return "\n".join(["[bold]Examples[/bold]", *(f"  [cyan]{line}[/cyan]" for line in lines)])


def print_json(document: Any) -> None:
    """Print `document`; times become ISO 8601 in UTC."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=_as_json)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def progress_bar(*, shown: bool) -> Progress:
    """Return a bar on standard error that goes away when the work is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not shown,
    )


def console() -> Console:
    """Return a console on standard output as it is now; tables are as wide as they need to be."""
    made = Console(highlight=False)
    if not made.is_terminal:  # a table that is piped on must not be folded or cut
        made = Console(highlight=False, width=250)
    return made


def note(text: str) -> None:
    """Tell a person something that is not the result, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a table; whole columns of numbers stand right."""
    filled = [[_cell(value) for value in row] for row in rows]
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        cells = [row[position].plain for row in filled]
        numeric = bool(cells) and all(_is_number(cell) for cell in cells)
        made.add_column(name, justify="right" if numeric else "left", header_style="dim")
    for row in filled:
        made.add_row(*row)
    return made


def _cell(value: Cell) -> Text:
    if isinstance(value, Text):
        return value
    return Text("–" if value is None else number(value) if isinstance(value, int) else value)


def _is_number(cell: str) -> bool:
    return cell == "–" or cell.rstrip("%").replace(",", "").replace(".", "").isdigit()
