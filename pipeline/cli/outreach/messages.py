"""`headrace outreach messages`: what was sent, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.acting import By
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, age, examples
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Reveal,
    Tenant,
    acting,
    campaign_of,
    opened,
    require_one_of,
    tell,
    tell_done,
    tell_one,
)

if TYPE_CHECKING:
    from pipeline.outreach.reading.messages import MessageRow

app = typer.Typer(rich_markup_mode="rich", help="What was sent, and what came of it.")
Message = Annotated[str, typer.Argument(metavar="MESSAGE", help="The id of a message.")]
_STATES = ("sending", "sent", "retryable", "failed", "unknown", "canceled")
_STYLES = {"sent": "green", "failed": "red", "unknown": "yellow", "retryable": "yellow"}


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace outreach messages",
        "headrace outreach messages unknown",
        "headrace outreach messages resolve 5f0c… --not-sent",
    ),
)
def messages(context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """What was sent, and what came of it; without a command, list it."""
    if context.invoked_subcommand is None:
        list_messages(tenant=tenant, as_json=as_json)


@app.command(
    "list", epilog=examples("headrace outreach messages list --campaign Welcome --state failed")
)
def list_messages(
    *,
    tenant: Tenant = DEFAULT,
    state: Annotated[str, typer.Option(help=f"Only: {', '.join(_STATES)}.")] = "",
    campaign: Annotated[str, typer.Option(help="Only of this campaign: its id or name.")] = "",
    to: Annotated[str, typer.Option(help="Only to this address.")] = "",
    limit: Limit = 50,
    after: After = "",
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List messages, the newest first."""
    from pipeline.outreach.reading import messages as reading

    require_one_of("--state", state, _STATES)
    opened(tenant, "messages", by, reveal=reveal)
    campaign_id = campaign_of(tenant, campaign)["_id"] if campaign else ""
    wanted = reading.Filter(state=state, campaign_id=campaign_id, to=to)
    page = reading.listed(tenant, limit, after=after, wanted=wanted, reveal=reveal)
    _tell_messages(page.rows, page.next, as_json=as_json, reveal=reveal)


@app.command(epilog=examples("headrace outreach messages unknown --tenant acme"))
def unknown(
    *,
    tenant: Tenant = DEFAULT,
    limit: Limit = 50,
    after: After = "",
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List messages of which it is not known whether they were sent, and how that stands."""
    from pipeline.outreach.reading import messages as reading

    opened(tenant, "messages", by, reveal=reveal)
    wanted = reading.Filter(state="unknown")
    page = reading.listed(tenant, limit, after=after, wanted=wanted, reveal=reveal)
    _tell_messages(page.rows, page.next, as_json=as_json, reveal=reveal)


@app.command(epilog=examples("headrace outreach messages show 5f0c…"))
def show(
    message: Message,
    *,
    tenant: Tenant = DEFAULT,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Tell of one message, and of all that happened to it."""
    from pipeline.outreach.reading import happenings
    from pipeline.outreach.reading import messages as reading

    opened(tenant, "messages", by, reveal=reveal)
    one = reading.find(tenant, message, reveal=reveal)
    told = _message(one) | {
        "events": [
            {
                "at": row["occurred_at"],
                "type": row["type"],
                "text": happenings.event(row, one.message, reveal=reveal),
                "effect": row.get("effect"),
            }
            for row in reading.events_of(tenant, message)
        ]
    }
    shown = ("id", "state", "to", "subject", "campaign", "node", "channel", "provider", "error")
    rows: list[tuple[str, Any]] = [(name, told[name]) for name in shown]
    rows += [("reconciliation", told["reconciliation"]), ("next look", _next_look(told))]
    rows += [("attempts", str(told["attempts"]))]
    rows += [("sent", f"{told['sent_at']:%Y-%m-%d %H:%M:%S}" if told["sent_at"] else None)]
    rows += [(f"{row['at']:%Y-%m-%d %H:%M:%S}", row["text"]) for row in told["events"]]
    tell_one(told, rows, as_json=as_json)


@app.command(
    epilog=examples(
        "headrace outreach messages resolve 5f0c… --sent",
        "headrace outreach messages resolve 5f0c… --not-sent",
    )
)
def resolve(
    message: Message,
    *,
    sent: Annotated[
        bool | None,
        typer.Option("--sent/--not-sent", help="Whether it was sent; if not, it is now."),
    ] = None,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Settle whether an unknown message was sent; one that was not is sent again."""
    from pipeline.outreach.sending import reconciling

    if sent is None:
        raise WrongUse("say --sent or --not-sent: nobody can guess that")
    reconciling.resolve(tenant, message, sent=sent, by=acting(by))
    text = "It counts as sent." if sent else "It is sent again."
    tell_done({"id": message, "sent": sent}, text, as_json=as_json)


def _tell_messages(rows: list[MessageRow], following: str, *, as_json: bool, reveal: bool) -> None:
    found = [_message(one) for one in rows]
    now = datetime.now(UTC)
    cells = [
        (
            one["id"],
            Text(one["state"], style=_STYLES.get(one["state"], "")),
            one["to"],
            f"{one['campaign']} / {one['node']}",
            age(one["sent_at"] or one["created_at"], now),
            ", ".join(name.replace("_", " ") for name in one["outcomes"]),
            ", ".join(filter(None, (one["reconciliation"] or one["error"], _next_look(one)))),
            *([one["subject"]] if reveal else []),
        )
        for one in found
    ]
    columns = ("id", "is", "to", "campaign / node", "when", "came of it", "because")
    tell(
        "messages",
        found,
        (*columns, *(["subject"] if reveal else [])),
        cells,
        as_json=as_json,
        following=following,
        empty="There are no such messages.",
    )


def _next_look(one: dict[str, Any]) -> str:
    """Return when it is looked up whether an unknown message was sent."""
    due_at = one["reconcile_due_at"] if one["state"] == "unknown" else None
    return age(due_at, datetime.now(UTC)) if due_at else ""


def _message(one: MessageRow) -> dict[str, Any]:
    row = one.message
    fields = (
        *("state", "channel", "provider", "attempts", "error", "reconciliation"),
        *("reconcile_due_at", "provider_id", "handed_over_at", "sent_at", "created_at"),
    )
    return {
        "id": one.id,
        "to": one.to or None,
        "subject": one.subject or None,
        "campaign": one.campaign,
        "node": row["node_id"],
        "enrollment": row["enrollment_id"],
        **{field: row.get(field) for field in fields},
        "outcomes": one.outcomes,
    }
