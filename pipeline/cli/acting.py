"""Who acts: what an operator does is noted with a name."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

By = Annotated[
    str | None, typer.Option("--as", help="Who does it; without it the user of this system.")
]


def operator(by: str | None) -> str:
    """Return who does it; a container may have no name for its user."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
