"""`headrace outreach senders`: whom messages come from, and how much they may send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By
from pipeline.cli.output import AsJson, age, examples
from pipeline.cli.outreach.common import (
    DEFAULT,
    Reveal,
    Tenant,
    opened,
    sender_of,
    tell,
    tell_one,
)

if TYPE_CHECKING:
    from pipeline.outreach.reading.senders import SenderRow

app = typer.Typer(rich_markup_mode="rich", help="Whom messages come from.")
Sender = Annotated[str, typer.Argument(metavar="SENDER", help="Its id, name or address.")]
_STYLES = {"verified": "green", "failing": "red", "unverified": "yellow", "disabled": "dim"}


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace outreach senders",
        "headrace outreach senders add Sales sales@acme.example --provider sendgrid",
        "headrace outreach senders verify Sales",
    ),
)
def senders(context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Whom messages come from; without a command, list them."""
    if context.invoked_subcommand is None:
        list_senders(tenant=tenant, as_json=as_json)


@app.command("list", epilog=examples("headrace outreach senders list --tenant acme"))
def list_senders(
    *,
    tenant: Tenant = DEFAULT,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List senders with how much of what they may send is used."""
    from pipeline.outreach.reading import senders as reading
    from pipeline.probes import require

    opened(tenant, "senders", by, reveal=reveal)
    require("redis")
    found = [_document(one, reveal=reveal) for one in reading.listed(tenant)]
    now = datetime.now(UTC)
    rows = [
        (
            one["name"],
            one["address"],
            one["provider"],
            _state(one),
            *(_use(one, "sender", span) for span in ("minute", "hour", "day")),
            one["waiting"],
            age(one["next_at"], now) if one["waiting"] and one["next_at"] > now else None,
        )
        for one in found
    ]
    columns = (
        *("sender", "address", "provider", "is", "in a minute", "an hour", "a day"),
        *("waiting", "next"),
    )
    empty = "There are no senders; `headrace outreach senders add` makes one."
    tell("senders", found, columns, rows, as_json=as_json, empty=empty)


@app.command(epilog=examples("headrace outreach senders show Sales"))
def show(
    sender: Sender,
    *,
    tenant: Tenant = DEFAULT,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Tell of one sender: how it is, and how much of each budget is used."""
    from pipeline.outreach.reading import senders as reading
    from pipeline.probes import require

    opened(tenant, "senders", by, reveal=reveal)
    require("redis")
    one = _document(reading.find(tenant, sender_of(tenant, sender)["_id"]), reveal=reveal)
    now = datetime.now(UTC)
    names = ("id", "name", "address", "provider", "display_name", "reply_to", "user")
    rows = [(name.replace("_", " "), one[name]) for name in names]
    rows += [("is", _state(one)), ("because", one["reason"]), ("credentials", one["credentials"])]
    rows += [("verified", age(one["verified_at"], now)), ("waiting", str(one["waiting"]))]
    rows += [(_budget(use), f"{use['used']:,} of {use['limit']:,}") for use in one["budgets"]]
    tell_one(one, rows, as_json=as_json)


def _document(one: SenderRow, *, reveal: bool) -> dict[str, Any]:
    from pipeline.outreach.reading import names

    row = one.sender
    return {
        "id": one.id,
        "name": row["name"],
        "channel": row["channel"],
        "provider": row["provider"],
        "address": names.address(row["address"], reveal=reveal),
        "display_name": row.get("display_name"),
        "reply_to": names.address(row.get("reply_to"), reveal=reveal) or None,
        "user": row.get("user_id"),
        "status": row["status"],
        "reason": row.get("status_reason"),
        "paused": bool(row.get("is_paused")),
        "credentials": "its own" if one.has_credentials else "those of the settings",
        "verified_at": row.get("verified_at"),
        "waiting": one.standing.waiting,
        "next_at": one.standing.next_at,
        "budgets": [use._asdict() for use in one.standing.uses],
    }


def _state(one: dict[str, Any]) -> Text:
    paused = ", paused" if one["paused"] else ""
    style = "yellow" if paused and one["status"] == "verified" else _STYLES[one["status"]]
    return Text(one["status"] + paused, style=style)


def _use(one: dict[str, Any], of: str, span: str) -> str:
    use = next(use for use in one["budgets"] if use["name"] == f"{of}_{span}")
    return f"{use['used']:,} of {use['limit']:,}"


def _budget(use: dict[str, Any]) -> str:
    """Return what a budget is: "sender, minute", "domain shop.example, hour"."""
    name = str(use["name"]).partition("_")[0]
    span = {60: "minute", 3600: "hour", 86_400: "day"}.get(round(use["seconds"]), "")
    return f"{name}{' ' + use['domain'] if use['domain'] else ''}, {span}"
