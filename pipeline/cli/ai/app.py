"""The app of `headrace ai`, and what its commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.output import AsJson, console, examples, print_json, table

if TYPE_CHECKING:
    from pipeline.stores import Row

app = typer.Typer(rich_markup_mode="rich")

Tenant = Annotated[str, typer.Option(help="Whose.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The id of a request.")]

#: What is told of a request, in this order; never the text that was submitted.
_FIELDS = (
    *("tenant_id", "user_id", "type", "entity", "options", "status", "provider", "model"),
    *("prompt_version", "result", "error", "tokens_in", "tokens_out", "tokens_cached"),
    *("cost_microusd", "seconds", "attempts", "requested_by", "created_at", "done_at"),
)


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace ai",
        "headrace ai ask generate-summary letter.txt --wait 60",
        "headrace ai ask categorize - --wait 60 < letter.txt",
        "headrace ai list --status failed",
        "headrace ai usage",
    ),
)
def ai(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Summaries, translations, categories, clean notes and mentions: ask, see, count.

    Without a command, list what was asked last.
    """
    if context.invoked_subcommand is None:
        from pipeline.cli.ai.looking import list_requests

        list_requests(as_json=as_json)


def document(row: Row, *, reveal: bool = True) -> dict[str, Any]:
    """Return what is told of a request; without `reveal` not what came of it."""
    fields = [name for name in _FIELDS if reveal or name != "result"]
    return {"id": row["_id"], **{name: row.get(name) for name in fields}}


def tell(row: Row, *, as_json: bool) -> None:
    """Print a request and what came of it."""
    told = document(row)
    if as_json:
        print_json(told)
        return
    result, error = told.pop("result") or {}, told.pop("error") or {}
    told |= {f"result: {name}": value for name, value in result.items()}
    told |= {f"error: {name}": value for name, value in error.items()}
    shown = [(name, str(value)) for name, value in told.items() if value is not None]
    console().print(table(None, ("", ""), shown))
