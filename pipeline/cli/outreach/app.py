"""The app of `headrace outreach`: what goes on, and what is to happen next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By
from pipeline.cli.output import AsJson, Cell, age, examples, number
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Reveal,
    Tenant,
    campaign_of,
    opened,
    require_one_of,
    sender_of,
    tell,
    tell_one,
)

if TYPE_CHECKING:
    from pipeline.outreach.reading.scheduled import ActionRow
    from pipeline.stores import Row

app = typer.Typer(rich_markup_mode="rich")
Campaign = Annotated[str, typer.Option(help="Only of this campaign: its id or name.")]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace outreach",
        "headrace outreach campaigns",
        "headrace outreach contacts import people.csv",
        "headrace outreach campaigns create Welcome --plan welcome.json --email-sender Sales",
        "headrace outreach campaigns enroll Welcome --all",
        "headrace outreach campaigns activate Welcome",
        "headrace outreach scheduled",
    ),
)
def outreach(context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Campaigns: who is in them, what is sent to whom, and what came of it.

    Without a command, tell how it stands. Addresses, names and subjects are masked unless you
    say --reveal.
    """
    if context.invoked_subcommand is None:
        _overview(tenant, as_json=as_json)


def _overview(tenant: str, *, as_json: bool) -> None:
    """Tell how many of everything there are, and what is next."""
    from pipeline.outreach import tenants
    from pipeline.outreach.reading import campaigns, messages, suppressions
    from pipeline.outreach.reading import scheduled as reading

    opened(tenant, "overview", None, reveal=False)
    following = reading.listed(tenant, 1).rows
    told: dict[str, Any] = {
        "tenant": tenant,
        "paused": tenants.get(tenant)["outreach_paused"],
        "campaigns": campaigns.counts(tenant),
        "messages": messages.counts(tenant),
        "suppressed": suppressions.counts(tenant),
        "next": _action(following[0]) if following else None,
    }
    rows: list[tuple[str, Cell]] = [("tenant", tenant), ("is", _state(paused=told["paused"]))]
    rows.append(("campaigns", _counted(told["campaigns"])))
    rows.append(("messages not sent", _counted(told["messages"])))
    rows.append(("suppressed", _counted(told["suppressed"])))
    if following:
        first = told["next"]
        due = age(first["due_at"], datetime.now(UTC))
        rows.append(("next", f"{first['what']} to {first['who']} {due}"))
    tell_one(told, rows, as_json=as_json)


def _state(*, paused: bool) -> Text:
    return Text("paused", style="yellow") if paused else Text("active", style="green")


def _counted(counts: dict[str, int]) -> str:
    """Return how many of each there are, without what is none."""
    said = [f"{number(count)} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    return ", ".join(said) or "none"


@app.command(
    epilog=examples(
        "headrace outreach scheduled",
        "headrace outreach scheduled --campaign Welcome --kind send --limit 5",
    )
)
def scheduled(
    *,
    tenant: Tenant = DEFAULT,
    campaign: Campaign = "",
    sender: Annotated[str, typer.Option(help="Only from this sender: its id or name.")] = "",
    kind: Annotated[str, typer.Option(help="Only: send, timeout.")] = "",
    limit: Limit = 50,
    after: After = "",
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """What is to happen next, the soonest first, and why then."""
    from pipeline.outreach.reading import scheduled as reading

    require_one_of("--kind", kind, ("send", "timeout"))
    opened(tenant, "scheduled", by, reveal=reveal)
    wanted = reading.Filter(
        campaign_id=campaign_of(tenant, campaign)["_id"] if campaign else "",
        sender_id=sender_of(tenant, sender)["_id"] if sender else "",
        kind=kind,
    )
    page = reading.listed(tenant, limit, after=after, wanted=wanted, reveal=reveal)
    found = [_action(one) for one in page.rows]
    now = datetime.now(UTC)
    rows = [
        (age(one["due_at"], now), one["what"], one["who"], one["campaign"], one["because"])
        for one in found
    ]
    columns = ("due", "what", "to whom", "campaign", "because")
    empty = "Nothing is scheduled."
    tell("scheduled", found, columns, rows, as_json=as_json, following=page.next, empty=empty)


def _action(one: ActionRow) -> dict[str, Any]:
    row = one.action
    return {
        "id": one.id,
        "due_at": row["due_at"],
        "planned_at": row["planned_at"],
        "what": one.what,
        "kind": row["kind"],
        "status": row["status"],
        "who": one.who,
        "enrollment": row["enrollment_id"],
        "campaign": one.campaign,
        "sender": one.sender or None,
        "because": one.because,
        "attempts": row.get("attempts") or 0,
        "last_error": row.get("last_error"),
    }


@app.command(
    epilog=examples("headrace outreach deliveries", "headrace outreach deliveries --status partial")
)
def deliveries(
    *,
    tenant: Annotated[str, typer.Option(help="Only with events of this tenant.")] = "",
    status: Annotated[str, typer.Option(help="Only: received, processed, partial, failed.")] = "",
    limit: Limit = 50,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Requests of providers that came in with events, the newest first."""
    from pipeline.outreach.reading import deliveries as reading

    require_one_of("--status", status, ("received", "processed", "partial", "failed"))
    opened(tenant, "deliveries", None, reveal=False)
    page = reading.listed(tenant or None, limit, after=after, status=status)
    found = [_delivery(row) for row in page.rows]
    now = datetime.now(UTC)
    rows = [
        (
            one["id"][:12],
            age(one["received_at"], now),
            one["provider"],
            one["kind"],
            one["status"],
            ", ".join(f"{name} {count}" for name, count in one["counts"].items()),
            len(one["problems"]) or None,
        )
        for one in found
    ]
    columns = ("id", "received", "provider", "kind", "status", "events", "problems")
    tell("deliveries", found, columns, rows, as_json=as_json, following=page.next)


def _delivery(row: Row) -> dict[str, Any]:
    return {
        "id": row["_id"],
        "provider": row["provider"],
        "kind": row["kind"],
        "received_at": row["received_at"],
        "processed_at": row.get("processed_at"),
        "status": row["status"],
        "attempts": row.get("attempts") or 0,
        "counts": row.get("counts") or {},
        "tenants": row.get("tenant_ids") or [],
        "problems": row.get("problems") or [],
    }
