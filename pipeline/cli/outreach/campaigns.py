"""`headrace outreach campaigns`: made, planned, filled, started, and what came of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, age, console, examples, note, number, print_json
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Tenant,
    acting,
    campaign_of,
    document_of,
    opened,
    require_one_of,
    sender_of,
    tell,
    tell_done,
)
from pipeline.cli.outreach.plan_problems import require_valid

if TYPE_CHECKING:
    from pipeline.outreach.reading.campaigns import CampaignRow

app = typer.Typer(rich_markup_mode="rich", help="Campaigns and their plans.")
Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id or name.")]
EmailSender = Annotated[str, typer.Option(help="Who sends its mail: a sender's id or name.")]
SmsSender = Annotated[str, typer.Option(help="Who sends its SMS: a sender's id or name.")]
_STATUSES = ("draft", "active", "paused", "stopped")
_EXAMPLES = (
    "headrace outreach campaigns",
    "headrace outreach campaigns show Welcome",
    "headrace outreach campaigns check welcome.json",
    "headrace outreach campaigns enroll Welcome --all",
    "headrace outreach campaigns activate Welcome",
)


@app.callback(invoke_without_command=True, epilog=examples(*_EXAMPLES))
def campaigns(context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Campaigns and their plans; without a command, list them."""
    if context.invoked_subcommand is None:
        list_campaigns(tenant=tenant, as_json=as_json)


@app.command("list", epilog=examples("headrace outreach campaigns list --status active"))
def list_campaigns(
    *,
    tenant: Tenant = DEFAULT,
    status: Annotated[str, typer.Option(help=f"Only: {', '.join(_STATUSES)}.")] = "",
    limit: Limit = 50,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """List campaigns with how many contacts are in them, the newest first."""
    from pipeline.outreach.reading import campaigns as reading

    require_one_of("--status", status, _STATUSES)
    opened(tenant, "campaigns", None, reveal=False)
    page = reading.listed(tenant, limit, after=after, status=status)
    found = [_document(one) for one in page.rows]
    now = datetime.now(UTC)
    counted = ("pending", "active", "completed", "stopped", "error")
    rows = [
        (
            one["id"],
            one["name"],
            one["status"],
            one["plan_version"] or None,
            *(one["enrollments"][name] or None for name in counted),
            age(one["created_at"], now),
        )
        for one in found
    ]
    columns = ("id", "campaign", "is", "plan", *counted, "made")
    empty = "There are no campaigns; `headrace outreach campaigns create` makes one."
    tell("campaigns", found, columns, rows, as_json=as_json, following=page.next, empty=empty)


@app.command(
    epilog=examples(
        "headrace outreach campaigns show Welcome",
        "headrace outreach campaigns show Welcome --version 1 --json",
    )
)
def show(
    campaign: Campaign,
    *,
    tenant: Tenant = DEFAULT,
    version: Annotated[
        int | None, typer.Option(min=1, help="A version of its plan; else the newest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell of a campaign: its plan as a tree, who is where, and what came of its messages."""
    from dataclasses import asdict

    from pipeline.outreach.reading import campaigns as reading
    from pipeline.outreach.reading import plans, stats

    opened(tenant, "campaigns", None, reveal=False)
    one = reading.find(tenant, campaign_of(tenant, campaign)["_id"])
    plan = plans.of_campaign(tenant, one.id, version)
    came = stats.of_campaign(tenant, one.id)
    if as_json:
        told = _document(one) | {"stats": asdict(came), "plan": plan.plan if plan else None}
        print_json(told | {"missing": [] if plan else ["plan"]})
        return
    _tell_head(one)
    if plan is None:
        note("It has no plan yet; `headrace outreach campaigns publish` gives it one.")
        return
    from pipeline.cli.outreach.plan_trees import tree_of
    from pipeline.cli.outreach.stats_tables import stats_table

    quiet = f", quiet from {plan.quiet}" if plan.quiet else ""
    title = f"Plan {plan.number}, {plan.time_zone}{quiet}"
    console().print(tree_of(plan.nodes, title))
    if came.total.sent:
        console().print(stats_table(came.total))


def _tell_head(one: CampaignRow) -> None:
    row = one.campaign
    said = [f"{number(count)} {name}" for name, count in one.enrollments.items() if count]
    by = f" by {row['status_by']}" if row.get("status_by") else ""
    why = f": {row['status_reason']}" if row.get("status_reason") else ""
    lines = [f"[bold]{row['name']}[/bold]  {row['status']}{by}{why}"]
    console().print(*lines)
    console().print(f"Contacts: {', '.join(said) or 'none'}", style="dim")


@app.command(
    epilog=examples(
        "headrace outreach campaigns create Welcome --email-sender Sales",
        "headrace outreach campaigns create Welcome --plan welcome.json --email-sender Sales",
    )
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    *,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    plan: Annotated[Path | None, typer.Option(help="Publish this plan at once.")] = None,
    email_sender: EmailSender = "",
    sms_sender: SmsSender = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make a campaign, a draft at first."""
    from pipeline.outreach import campaigns as service

    who = acting(by)
    document = document_of(plan) if plan else None
    if document is not None:
        require_valid(document, as_json=as_json)
    senders = _senders(tenant, email_sender, sms_sender)
    campaign_id = service.create(tenant, name=name, description=description, by=who, **senders)
    if document is not None:
        service.publish(tenant, campaign_id, document, by=who)
    tell_done({"id": campaign_id, "status": "draft"}, f"Made {campaign_id}.", as_json=as_json)


@app.command("set", epilog=examples("headrace outreach campaigns set Welcome --email-sender Sales"))
def set_fields(
    campaign: Campaign,
    *,
    name: Annotated[str, typer.Option(help="Its new name.")] = "",
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    email_sender: EmailSender = "",
    sms_sender: SmsSender = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Change the name, description or senders of a campaign."""
    from pipeline.outreach import campaigns as service

    who = acting(by)
    changes: dict[str, Any] = _senders(tenant, email_sender, sms_sender)
    changes |= {"name": name} if name else {}
    changes |= {"description": description} if description is not None else {}
    if not changes:
        raise WrongUse("say what to set; see --help")
    row = service.update(tenant, campaign_of(tenant, campaign)["_id"], by=who, **changes)
    tell_done({"id": row["_id"], "changed": sorted(changes)}, "Changed.", as_json=as_json)


def _senders(tenant: str, email_sender: str, sms_sender: str) -> dict[str, Any]:
    given = {"email_sender_id": email_sender, "sms_sender_id": sms_sender}
    return {name: sender_of(tenant, text)["_id"] for name, text in given.items() if text}


def _document(one: CampaignRow) -> dict[str, Any]:
    row = one.campaign
    fields = (
        *("name", "description", "status", "status_reason", "status_by", "status_at"),
        *("plan_version", "email_sender_id", "sms_sender_id", "activated_at", "created_at"),
    )
    return {"id": one.id, **{field: row.get(field) for field in fields}} | {
        "enrollments": one.enrollments
    }
