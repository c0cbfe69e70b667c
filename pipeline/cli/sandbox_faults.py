"""`headrace sandbox fault`: have the sandbox misbehave."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, console, print_json, table
from pipeline.cli.sandbox_url import Url, running_sandbox


def fault(
    kind: Annotated[str | None, typer.Argument(metavar="KIND")] = None,
    *,
    match: Annotated[
        list[str] | None,
        typer.Option(
            help="api=, method= (of notifications: push), user= or path=, with * for anything;"
            " may be repeated."
        ),
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="name=value; may be repeated.")] = None,
    times: Annotated[int | None, typer.Option(min=1, help="How often it strikes; once.")] = None,
    probability: Annotated[
        float | None, typer.Option(min=0, max=1, help="Strikes for ever, but not always.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all faults.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Have the sandbox misbehave. Without KIND, show the faults in force and the kinds."""
    if clear and kind is not None:
        raise WrongUse("--clear removes all faults; give no KIND with it")
    with running_sandbox(url) as client:
        if clear:
            client.clear_faults()
        elif kind is not None:
            rule = {"times": times, "probability": probability}
            rule = {name: value for name, value in rule.items() if value is not None}
            client.fault(kind, match=_pairs(match), params=_pairs(param, decode=True), **rule)
        faults = client.faults()
    _show_faults(faults, as_json=as_json)


def _show_faults(faults: list[dict[str, Any]], *, as_json: bool) -> None:
    from pipeline.sandbox.faults import KINDS

    if as_json:
        print_json({"faults": faults, "kinds": {kind: sorted(KINDS[kind]) for kind in KINDS}})
        return
    columns = ("id", "kind", "match", "params", "left", "probability", "hits")
    rows = [[_plain(fault[name]) for name in columns] for fault in faults]
    console().print(table("Faults in force", columns, rows))
    if not faults:
        known = [(kind, ", ".join(sorted(params))) for kind, params in KINDS.items()]
        console().print(table("Kinds", ("kind", "params"), known))


def _pairs(given: list[str] | None, *, decode: bool = False) -> dict[str, Any]:
    """Return name=value pairs; with `decode` a value that is JSON becomes what it says."""
    pairs: dict[str, Any] = {}
    for entry in given or ():
        name, equals, value = entry.partition("=")
        if not name or not equals:
            raise WrongUse(f"{entry!r} is not name=value")
        pairs[name] = _decoded(value) if decode else value
    return pairs


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _plain(value: Any) -> str | int:
    if isinstance(value, dict):
        return ", ".join(f"{name}={inner}" for name, inner in value.items())
    return "always" if value is None else value if isinstance(value, int) else str(value)
