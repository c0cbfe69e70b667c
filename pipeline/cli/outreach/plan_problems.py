"""What is wrong with plans and campaigns, by its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.exits import USAGE
from pipeline.cli.output import note, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.outreach.plans import Problem


def require_valid(document: Any, *, as_json: bool) -> None:
    """End with USAGE and all errors of a plan, if it has any."""
    from pipeline.outreach import plans

    found = plans.check(document)
    if not found.errors:
        note_problems(found.warnings, "warning")
        return
    if as_json:
        print_json({"errors": documents_of(found.errors), "warnings": documents_of(found.warnings)})
    else:
        note_problems(found.errors, "error")
    raise typer.Exit(USAGE)


def documents_of(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return problems as JSON has them."""
    return [{"path": one.path, "message": one.message} for one in problems]


def note_problems(problems: Iterable[Problem], kind: str) -> None:
    """Tell a person of problems, one a line."""
    for one in problems:
        note(f"{kind}: {one}")
