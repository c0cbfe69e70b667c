"""`headrace outreach suppressions`: addresses that get nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By
from pipeline.cli.output import AsJson, age, examples
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Reveal,
    Tenant,
    acting,
    opened,
    require_one_of,
    tell,
    tell_done,
)

if TYPE_CHECKING:
    from pipeline.outreach.reading.suppressions import SuppressionRow

app = typer.Typer(rich_markup_mode="rich", help="Addresses that get nothing.")
_REASONS = ("unsubscribed", "bounced", "spam_report", "invalid", "manual")


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace outreach suppressions",
        "headrace outreach suppressions add bob@shop.example --note 'asked by phone'",
        "headrace outreach suppressions lift bob@shop.example",
    ),
)
def suppressions(
    context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Addresses that get nothing; without a command, list them."""
    if context.invoked_subcommand is None:
        list_suppressions(tenant=tenant, as_json=as_json)


@app.command("list", epilog=examples("headrace outreach suppressions list --reason bounced"))
def list_suppressions(
    *,
    tenant: Tenant = DEFAULT,
    channel: Annotated[str, typer.Option(help="Only: email, sms.")] = "",
    reason: Annotated[str, typer.Option(help=f"Only: {', '.join(_REASONS)}.")] = "",
    limit: Limit = 50,
    after: After = "",
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List suppressed addresses, those that were seen last first."""
    from pipeline.outreach.reading import suppressions as reading

    require_one_of("--channel", channel, ("email", "sms"))
    require_one_of("--reason", reason, _REASONS)
    opened(tenant, "suppressions", by, reveal=reveal)
    wanted = reading.Filter(channel=channel, reason=reason)
    page = reading.listed(tenant, limit, after=after, wanted=wanted, reveal=reveal)
    found = [_suppression(one) for one in page.rows]
    now = datetime.now(UTC)
    rows = [
        (
            one["address"],
            one["channel"],
            one["reason"].replace("_", " "),
            one["source"].replace("_", " "),
            age(one["last_seen_at"], now),
            age(one["expires_at"], now) if one["expires_at"] else None,
            one["note"],
        )
        for one in found
    ]
    columns = ("address", "channel", "because", "by", "last seen", "ends", "note")
    empty = "No address is suppressed."
    tell("suppressions", found, columns, rows, as_json=as_json, following=page.next, empty=empty)


@app.command(
    epilog=examples("headrace outreach suppressions add bob@shop.example --note 'asked by phone'")
)
def add(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    *,
    note: Annotated[str, typer.Option(help="Why, for those who look later.")] = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Write to an address no more."""
    from pipeline.audit import noted
    from pipeline.outreach import suppressions as service

    who, (channel, normal) = acting(by), _address(address)
    row_id = service.suppression_id(tenant, channel, normal)
    with noted(who, "suppression.add", f"suppression {row_id}"):
        service.suppress(
            None, tenant, channel, normal, reason="manual", source="cli", note=note[:500], by=who
        )
    tell_done({"id": row_id, "channel": channel}, "Nothing is sent to it.", as_json=as_json)


@app.command(epilog=examples("headrace outreach suppressions lift bob@shop.example"))
def lift(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="An address, or the id of a suppression.")
    ],
    *,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Write to an address again, whatever spoke against it."""
    from pipeline.outreach import suppressions as service

    who, row_id = acting(by), address
    if not address.startswith(f"{tenant}:"):
        row_id = service.suppression_id(tenant, *_address(address))
    service.lift(tenant, row_id, by=who)
    tell_done({"lifted": row_id}, "It may be written to again.", as_json=as_json)


def _address(text: str) -> tuple[str, str]:
    """Return the channel of an address, and the address as it is kept."""
    from pipeline.outreach.contact_fields import email, phone

    return ("email", email(text)) if "@" in text else ("sms", phone(text, "address"))


def _suppression(one: SuppressionRow) -> dict[str, Any]:
    row = one.suppression
    fields = (
        *("channel", "reason", "source", "note", "count", "by"),
        *("first_seen_at", "last_seen_at", "expires_at"),
    )
    return {"id": one.id, "address": one.address, **{field: row.get(field) for field in fields}}
