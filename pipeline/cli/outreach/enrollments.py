"""`headrace outreach enrollments`: who is where, how they got there, and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By
from pipeline.cli.output import AsJson, age, console, examples, print_json, table
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Reason,
    Reveal,
    Tenant,
    acting,
    campaign_of,
    contact_of,
    opened,
    require_one_of,
    tell,
    tell_done,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.outreach.reading.enrollments import EnrollmentRow
    from pipeline.outreach.reading.timeline import Moment

app = typer.Typer(rich_markup_mode="rich", help="Who is in campaigns, and where.")
Enrollment = Annotated[str, typer.Argument(metavar="ENROLLMENT", help="CAMPAIGN:CONTACT, an id.")]
_STATUSES = ("pending", "active", "paused", "completed", "stopped", "error")
_STYLES = {"ok": "green", "info": "cyan", "warn": "yellow", "bad": "red", "idle": ""}


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace outreach enrollments list --campaign Welcome --status active",
        "headrace outreach enrollments show 4f0c…:91ab…",
    ),
)
def enrollments(
    context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Who is in campaigns, and where; without a command, list them."""
    if context.invoked_subcommand is None:
        list_enrollments(tenant=tenant, as_json=as_json)


@app.command("list", epilog=examples("headrace outreach enrollments list --campaign Welcome"))
def list_enrollments(
    *,
    tenant: Tenant = DEFAULT,
    campaign: Annotated[str, typer.Option(help="Only in this campaign: its id or name.")] = "",
    contact: Annotated[str, typer.Option(help="Only of this contact: its id or address.")] = "",
    status: Annotated[str, typer.Option(help=f"Only: {', '.join(_STATUSES)}.")] = "",
    node: Annotated[str, typer.Option(help="Only at this node.")] = "",
    limit: Limit = 50,
    after: After = "",
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List who is in campaigns, and where."""
    from pipeline.outreach.reading import enrollments as reading

    require_one_of("--status", status, _STATUSES)
    opened(tenant, "enrollments", by, reveal=reveal)
    wanted = reading.Filter(
        campaign_id=campaign_of(tenant, campaign)["_id"] if campaign else "",
        contact_id=contact_of(tenant, contact)["_id"] if contact else "",
        status=status,
        node_id=node,
    )
    page = reading.listed(tenant, limit, after=after, wanted=wanted, reveal=reveal)
    found = [_document(one) for one in page.rows]
    now = datetime.now(UTC)
    rows = [
        (o["id"], o["who"], o["campaign"], o["status"], o["node"], _since(o, now), o["reason"])
        for o in found
    ]
    columns = ("id", "who", "campaign", "is", "at", "since", "because")
    empty = "There is nobody; `headrace outreach campaigns enroll` puts contacts in."
    tell("enrollments", found, columns, rows, as_json=as_json, following=page.next, empty=empty)


@app.command(
    epilog=examples(
        "headrace outreach enrollments show 4f0c…:91ab…",
        "headrace outreach enrollments show 4f0c…:91ab… --reveal --json",
    )
)
def show(
    enrollment: Enrollment,
    *,
    tenant: Tenant = DEFAULT,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Tell all that happened to a contact in a campaign, and what is to happen next."""
    from dataclasses import asdict

    from pipeline.outreach.reading import enrollments as reading
    from pipeline.outreach.reading import timeline

    opened(tenant, "enrollments", by, reveal=reveal)
    one = reading.find(tenant, enrollment, reveal=reveal)
    moments = timeline.of(tenant, enrollment, reveal=reveal)
    if as_json:
        print_json(_document(one) | {"timeline": [asdict(moment) for moment in moments]})
        return
    named = " ".join(filter(None, (one.name, one.who)))
    reason = one.enrollment.get("reason")
    state = f"{one.enrollment['status']}{': ' + reason if reason else ''}"
    console().print(Text(f"{named} in {one.campaign}: {state}", style="bold"))
    past = [_cells(moment) for moment in moments if moment.kind != "scheduled"]
    ahead = [_cells(moment) for moment in moments if moment.kind == "scheduled"]
    console().print(table(None, ("when (UTC)", "what", "and"), past))
    if ahead:
        console().print(table("Next", ("when (UTC)", "what", "because"), ahead))


def _cells(moment: Moment) -> tuple[str, Text, str]:
    at = f"{moment.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    late = ""
    if moment.recorded_at is not None:
        late = f"learnt of {moment.recorded_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    beside = "; ".join(filter(None, (moment.because, late)))
    return at, Text(moment.text, style=_STYLES[moment.tone]), beside


@app.command(epilog=examples("headrace outreach enrollments pause 4f0c…:91ab…"))
def pause(
    enrollment: Enrollment,
    *,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Have a contact stay where it is."""
    from pipeline.outreach import enrollments as service

    _act(service.pause, enrollment, tenant, by, reason, "paused", as_json=as_json)


@app.command(epilog=examples("headrace outreach enrollments resume 4f0c…:91ab…"))
def resume(
    enrollment: Enrollment,
    *,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let a paused contact go on from where it is."""
    from pipeline.outreach import enrollments as service

    _act(service.resume, enrollment, tenant, by, reason, "active", as_json=as_json)


@app.command(epilog=examples("headrace outreach enrollments stop 4f0c…:91ab… --reason 'met them'"))
def stop(
    enrollment: Enrollment,
    *,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """End an enrollment, for good."""
    from pipeline.outreach import enrollments as service

    _act(service.stop, enrollment, tenant, by, reason, "stopped", as_json=as_json)


def _act(
    act: Callable[..., None],
    enrollment: str,
    tenant: str,
    by: str | None,
    reason: str,
    status: str,
    *,
    as_json: bool,
) -> None:
    act(tenant, enrollment, by=acting(by), reason=reason)
    tell_done({"id": enrollment, "status": status}, f"It is {status}.", as_json=as_json)


def _document(one: EnrollmentRow) -> dict[str, Any]:
    row = one.enrollment
    return {
        "id": one.id,
        "who": one.who,
        "name": one.name or None,
        "campaign": one.campaign,
        "campaign_id": row["campaign_id"],
        "contact_id": row["contact_id"],
        "status": row["status"],
        "reason": row.get("reason"),
        "node": row.get("node_id"),
        "node_entered_at": row.get("node_entered_at"),
        "sent_at": row.get("sent_at"),
        "plan_version": row["plan_version"],
        "started_at": row.get("started_at"),
        "ended_at": row.get("ended_at"),
        "updated_at": row["updated_at"],
    }


def _since(one: dict[str, Any], now: datetime) -> str:
    return age(one["ended_at"] or one["node_entered_at"] or one["updated_at"], now)
