"""`headrace outreach tenants`: what a tenant has set, and whether it is paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, examples
from pipeline.cli.outreach.common import Reason, acting, opened, tell, tell_done, tell_one

if TYPE_CHECKING:
    from pipeline.stores import Row

app = typer.Typer(rich_markup_mode="rich", help="What tenants have set, and who is paused.")
Id = Annotated[str, typer.Argument(metavar="TENANT")]
_FIELDS = ("name", "postal_address", "sends_per_hour", "domain_sends_per_hour")


@app.callback(
    invoke_without_command=True,
    epilog=examples("headrace outreach tenants", "headrace outreach tenants show acme"),
)
def tenants(context: typer.Context, *, as_json: AsJson = False) -> None:
    """What tenants have set; without a command, list them."""
    if context.invoked_subcommand is None:
        list_tenants(as_json=as_json)


@app.command("list", epilog=examples("headrace outreach tenants list --json"))
def list_tenants(*, as_json: AsJson = False) -> None:
    """List tenants that have anything to do with outreach."""
    from pipeline.outreach.reading import tenants as reading

    opened("", "tenants", None, reveal=False)
    found = [_document(row) for row in reading.listed()]
    rows = [(one["tenant"], one["name"], _state(one)) for one in found]
    tell("tenants", found, ("tenant", "name", "is"), rows, as_json=as_json)


@app.command(epilog=examples("headrace outreach tenants show acme"))
def show(tenant: Id, *, as_json: AsJson = False) -> None:
    """Tell what a tenant has set; what is missing is as the settings say."""
    from pipeline.outreach import tenants as service

    opened(tenant, "tenants", None, reveal=False)
    _tell(_document(service.get(tenant)), as_json=as_json)


@app.command(
    "set",
    epilog=examples(
        "headrace outreach tenants set acme --name Acme --sends-per-hour 2000",
        "headrace outreach tenants set acme --unset sends_per_hour",
    ),
)
def set_fields(
    tenant: Id,
    *,
    name: Annotated[str | None, typer.Option(help="Its name in messages.")] = None,
    postal_address: Annotated[str | None, typer.Option(help="At the foot of mail.")] = None,
    sends_per_hour: Annotated[
        int | None, typer.Option(min=0, help="Messages in any hour, over all senders.")
    ] = None,
    domain_sends_per_hour: Annotated[
        int | None, typer.Option(min=0, help="Mails to one domain in any hour.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(help=f"Remove one of {', '.join(_FIELDS)}.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Change what a tenant has set."""
    from pipeline.outreach import tenants as service

    values = (name, postal_address, sends_per_hour, domain_sends_per_hour)
    given = dict(zip(_FIELDS, values, strict=True))
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    changes |= {field.replace("-", "_"): None for field in unset or ()}
    if not changes:
        raise WrongUse("say what to set; see --help")
    who = acting(by)
    _tell(_document(service.update(tenant, changes, by=who)), as_json=as_json)


@app.command(epilog=examples("headrace outreach tenants pause acme --reason 'complaints'"))
def pause(tenant: Id, *, reason: Reason = "", by: By = None, as_json: AsJson = False) -> None:
    """Have nothing of a tenant's sent; nobody moves on in any of its campaigns."""
    from pipeline.outreach import campaigns

    campaigns.pause_tenant(tenant, by=acting(by), reason=reason)
    tell_done({"tenant": tenant, "paused": True}, "Paused: nothing is sent.", as_json=as_json)


@app.command(epilog=examples("headrace outreach tenants resume acme"))
def resume(tenant: Id, *, reason: Reason = "", by: By = None, as_json: AsJson = False) -> None:
    """Let a tenant's campaigns go on; what came due meanwhile is done now."""
    from pipeline.outreach import campaigns

    campaigns.resume_tenant(tenant, by=acting(by), reason=reason)
    tell_done({"tenant": tenant, "paused": False}, "Its campaigns go on.", as_json=as_json)


def _document(row: Row) -> dict[str, Any]:
    told = {"tenant": row["_id"], **{name: row[name] for name in _FIELDS}}
    return told | {
        "paused": row["outreach_paused"],
        "paused_by": row["paused_by"],
        "paused_reason": row["paused_reason"],
        "paused_at": row["paused_at"],
    }


def _tell(one: dict[str, Any], *, as_json: bool) -> None:
    rows = [("tenant", one["tenant"]), *((name.replace("_", " "), one[name]) for name in _FIELDS)]
    tell_one(one, [*rows, ("is", _state(one))], as_json=as_json)


def _state(one: dict[str, Any]) -> Text:
    if not one["paused"]:
        return Text("active", style="green")
    why = f": {one['paused_reason']}" if one["paused_reason"] else ""
    return Text(f"paused by {one['paused_by']}{why}", style="yellow")
