"""`headrace bench`: starts stores and a sandbox of its own, measures, and leaves nothing."""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Measure speed and memory, side by side in one run.")


@app.callback()
def main() -> None:
    """Measure speed and memory, side by side in one run."""


@app.command()
def sync(
    records: Annotated[int, typer.Option(help="Events of the user that is landed.")] = 20_000,
    rounds: Annotated[int, typer.Option(help="How often each side runs, in turn.")] = 3,
    big: Annotated[int, typer.Option(help="Records of the user that a worker lands.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Landing against a bare loop, landing with the graph, memory, and an idle sync.

    The bare loop reads the same pages with the same client library straight
    into pymongo's bulk_write.

    Example: headrace bench sync --records 20000 --rounds 3
    """
    from benchmarks import sync as bench

    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        results = bench.run(Path(folder), records, rounds, big, progress.log)
    if as_json:
        typer.echo(json.dumps({"machine": machine(), **results}))
    else:
        _print(results)


def machine() -> str:
    """Return the machine's shape."""
    memory_gib = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count()
    return f"{cores} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}"


def _print(results: dict[str, dict[str, Any]]) -> None:
    table = Table(title=f"headrace bench sync ({machine()})")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("target")
    for name, row in results.items():
        table.add_row(name.replace("_", " "), str(row["value"]), row.get("target", ""))
    Console().print(table)
