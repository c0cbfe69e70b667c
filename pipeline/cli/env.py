"""`headrace env`: the addresses of what `headrace up` runs, for other programs."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from pipeline.cli.output import AsJson, examples, print_json
from pipeline.errors import Transient

app = typer.Typer(rich_markup_mode="rich")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the servers (HEADRACE_DATA_DIR, or .headrace)."),
]

#: Stays in its file: whoever needs it reads it there.
_NEVER_SHOWN = ("ENCRYPTION_KEYS",)
_ADDRESSES = ("REDIS_URL", "MONGODB_URI", "GRAPH_URI", "GOOGLE_API_BASE_URL")


@app.command(
    epilog=examples(
        'eval "$(headrace env)" && mongosh "$MONGODB_URI"',
        "headrace env --json",
    )
)
def env(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print where the servers of `headrace up` are, as `export …` lines.

    Headrace's own commands find them by themselves.  Encryption keys stay where they
    are; processes that need them find them by HEADRACE_DATA_DIR.
    """
    from pipeline.config import data_dir as default_data_dir

    folder = (data_dir or default_data_dir()).absolute()
    values = running(folder)
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def running(folder: Path) -> dict[str, str]:
    """Return the settings of the servers that `headrace up` runs with this data folder.

    Raises Transient if nothing does.
    """
    from dotenv import dotenv_values

    path = folder / "env"
    if not path.exists():
        raise Transient(f"nothing runs in {folder}: start it with `headrace up`")
    values = {name: value or "" for name, value in dotenv_values(path).items()}
    for name in _ADDRESSES:
        if name in values and not _answers(values[name]):
            raise Transient(f"what {name} in {path} names does not answer; is `headrace up` on?")
    shown = {name: value for name, value in values.items() if name not in _NEVER_SHOWN}
    return {"HEADRACE_DATA_DIR": str(folder), **shown}


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=2).close()
    except OSError:
        return False
    return True
