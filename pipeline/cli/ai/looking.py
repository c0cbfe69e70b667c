"""`headrace ai show`, `list`, `usage` and `types`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.ai.app import RequestId, Tenant, app, document, tell
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import (
    AsJson,
    Cell,
    age,
    console,
    examples,
    note,
    number,
    print_json,
    table,
)

if TYPE_CHECKING:
    from pipeline.stores import Row


@app.command(epilog=examples("headrace ai show 4fd0…", "headrace ai show 4fd0… --json"))
def show(request: RequestId, *, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """Tell of one request, and what came of it."""
    from pipeline.platform import ai
    from pipeline.probes import require

    require("mongodb")
    row = ai.result(tenant, request)
    if row is None:
        raise WrongUse(f"tenant {tenant!r} has no request {request!r}")
    tell(row, as_json=as_json)


@app.command(
    "list", epilog=examples("headrace ai list", "headrace ai list --status failed --type translate")
)
def list_requests(
    *,
    tenant: Tenant = "default",
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    type_name: Annotated[list[str] | None, typer.Option("--type", help="Only of it.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what AI was asked, the newest first, without what came of it."""
    from pipeline.platform import ai
    from pipeline.probes import require

    require("mongodb")
    found = ai.listed(
        tenant, types=type_name or (), statuses=status or (), user_id=user, limit=limit
    )
    if as_json:
        print_json({"requests": [document(row, reveal=False) for row in found]})
    elif found:
        now = datetime.now(UTC)
        columns = ("id", "type", "of", "user", "status", "by", "tokens", "asked", "why")
        console().print(table(None, columns, [_cells(row, now) for row in found]))
    else:
        note("Nothing was asked yet; `headrace ai ask` does it.")


def _cells(row: Row, now: datetime) -> tuple[Cell, ...]:
    return (
        row["_id"],
        row["type"],
        row["entity"]["kind"],
        row.get("user_id"),
        row["status"],
        f"{row['provider']} {row['model']}",
        row["tokens_in"] + row["tokens_out"],
        age(row["created_at"], now),
        (row.get("error") or {}).get("message"),
    )


@app.command(epilog=examples("headrace ai usage --tenant acme", "headrace ai usage 2026-05-04"))
def usage(
    day: Annotated[
        datetime | None, typer.Argument(formats=["%Y-%m-%d"], help="UTC; without it, today.")
    ] = None,
    *,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Tell what AI took on a day, and how much of a tenant's quotas is in use."""
    from pipeline.platform import ai
    from pipeline.probes import require

    require("mongodb", "redis")
    chosen = (day or datetime.now(UTC)).date()
    uses, quotas = ai.usage(tenant, chosen), ai.quotas_of(tenant)
    if as_json:
        told = {"uses": [one._asdict() for one in uses], "quotas": [q._asdict() for q in quotas]}
        print_json({"day": chosen.isoformat(), **told})
        return
    rows = [
        (one.type, f"{one.provider} {one.model}", one.calls, one.unanswered, one.tokens_in,
         one.tokens_out, dollars(one.cost_microusd))
        for one in uses
    ]  # fmt: skip
    columns = ("type", "by", "calls", "unanswered", "tokens in", "tokens out", "cost")
    console().print(table(f"{tenant}, {chosen}", columns, rows))
    used = [(q.name.replace("_", " a "), number(q.used), number(q.limit)) for q in quotas]
    console().print(table("Quotas", ("", "used", "of"), used))


def dollars(microusd: int) -> str:
    """Return a cost in words."""
    return f"${microusd / 1e6:.4f}"


@app.command(epilog=examples("headrace ai types", "headrace ai types --json"))
def types(*, as_json: AsJson = False) -> None:
    """List what can be asked for, and with which options."""
    from pipeline.platform import ai

    if as_json:
        told = {
            name: {
                "options": kind.options.model_json_schema(),
                "result": kind.result.model_json_schema(),
                "longest": kind.longest,
                "local": bool(kind.local),
            }
            for name, kind in ai.KINDS.items()
        }
        print_json({"types": told})
        return
    rows = [
        (
            name,
            ", ".join(kind.options.model_fields) or None,
            kind.longest,
            "worker, or an API" if kind.local else "an API alone: set AI_API_KEY",
        )
        for name, kind in ai.KINDS.items()
    ]
    console().print(table(None, ("type", "options", "longest", "done by"), rows))
