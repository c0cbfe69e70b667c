"""What is done with senders: made, verified, paused, disabled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, examples
from pipeline.cli.outreach.common import (
    DEFAULT,
    Reason,
    Tenant,
    acting,
    sender_of,
    tell_done,
)
from pipeline.cli.outreach.senders import Sender, app

if TYPE_CHECKING:
    from pipeline.stores import Row

DisplayName = Annotated[str | None, typer.Option(help="The name that readers see.")]
ReplyTo = Annotated[str | None, typer.Option(help="Where answers go to.")]
SyncedUser = Annotated[str | None, typer.Option(help="Whose synced mailbox answers come to.")]
PerMinute = Annotated[int | None, typer.Option(min=0, help="At most in any minute.")]
PerHour = Annotated[int | None, typer.Option(min=0, help="At most in any hour.")]
PerDay = Annotated[int | None, typer.Option(min=0, help="At most in any day.")]


@app.command(
    epilog=examples(
        "headrace outreach senders add Sales sales@acme.example --provider sendgrid",
        "SECRET=SG.… headrace outreach senders add Sales sales@acme.example "
        "--provider sendgrid --credential api_key=env:SECRET",
        "headrace outreach senders add Texts +4930123456 --provider twilio --per-hour 100",
    )
)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="An e-mail address, or a number as +4930….")
    ],
    *,
    provider: Annotated[str, typer.Option(help="sendgrid, smtp or twilio.")],
    display_name: DisplayName = None,
    reply_to: ReplyTo = None,
    user: SyncedUser = None,
    credential: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=env:VARIABLE",
            help="Its own secret, read from a variable of the environment; else the settings'.",
        ),
    ] = None,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make a sender; verify it before it sends."""
    from pipeline.outreach import senders as service

    limits = {"per_minute": per_minute, "per_hour": per_hour, "per_day": per_day}
    values = {
        "name": name,
        "address": address,
        "provider": provider,
        "display_name": display_name,
        "reply_to": reply_to,
        "user_id": user,
        "credentials": secrets(credential or []) or None,
        "limits": {span: limit for span, limit in limits.items() if limit is not None} or None,
    }
    given = {field: value for field, value in values.items() if value is not None}
    sender_id = service.create(tenant, given, by=acting(by))
    text = f"Made {sender_id}; `headrace outreach senders verify '{name}'` is next."
    tell_done({"id": sender_id, "status": "unverified"}, text, as_json=as_json)


def secrets(given: list[str]) -> dict[str, str]:
    """Return secrets by name: others see a command line, but not the environment."""
    found = {}
    for one in given:
        name, _, where = one.partition("=")
        kind, _, variable = where.partition(":")
        if kind != "env" or not variable:
            raise WrongUse("--credential: expected NAME=env:VARIABLE, such as api_key=env:SECRET")
        if variable not in os.environ:
            raise WrongUse(f"--credential: there is no variable {variable!r} in the environment")
        found[name] = os.environ[variable]
    return found


@app.command(epilog=examples("headrace outreach senders verify Sales"))
def verify(
    sender: Sender, *, tenant: Tenant = DEFAULT, by: By = None, as_json: AsJson = False
) -> None:
    """Ask the provider whether it takes messages from a sender; exits with 1 if not."""
    from pipeline.outreach import senders as service

    who = acting(by)
    row = service.verify(tenant, sender_of(tenant, sender)["_id"], by=who)
    document = {"id": row["_id"], "status": row["status"], "reason": row.get("status_reason")}
    tell_done(document, _said(row), as_json=as_json)
    if row["status"] != "verified":
        raise typer.Exit(FAILED)


def _said(row: Row) -> str:
    return (
        "Verified: it sends."
        if row["status"] == "verified"
        else f"It does not send: {row.get('status_reason')}"
    )


@app.command(epilog=examples("headrace outreach senders pause Sales"))
def pause(
    sender: Sender, *, tenant: Tenant = DEFAULT, by: By = None, as_json: AsJson = False
) -> None:
    """Have all that is to be sent from a sender wait."""
    from pipeline.outreach import senders as service

    row = service.pause(tenant, sender_of(tenant, sender)["_id"], by=acting(by))
    tell_done({"id": row["_id"], "paused": True}, "Paused: what is due waits.", as_json=as_json)


@app.command(epilog=examples("headrace outreach senders resume Sales"))
def resume(
    sender: Sender, *, tenant: Tenant = DEFAULT, by: By = None, as_json: AsJson = False
) -> None:
    """Have a sender send again, what has waited first."""
    from pipeline.outreach import senders as service

    row = service.resume(tenant, sender_of(tenant, sender)["_id"], by=acting(by))
    tell_done({"id": row["_id"], "paused": False}, "It sends again.", as_json=as_json)


@app.command(epilog=examples("headrace outreach senders disable Sales --reason 'key leaked'"))
def disable(
    sender: Sender,
    *,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let nothing be sent from a sender until it was enabled and verified again."""
    from pipeline.outreach import senders as service

    who, row = acting(by), sender_of(tenant, sender)
    service.disable(tenant, row["_id"], by=who, reason=reason)
    tell_done({"id": row["_id"], "status": "disabled"}, "Disabled.", as_json=as_json)


@app.command(epilog=examples("headrace outreach senders enable Sales"))
def enable(
    sender: Sender, *, tenant: Tenant = DEFAULT, by: By = None, as_json: AsJson = False
) -> None:
    """Have a disabled sender be verified again."""
    from pipeline.outreach import senders as service

    who, row = acting(by), sender_of(tenant, sender)
    after = service.enable(tenant, row["_id"], by=who)
    tell_done({"id": row["_id"], "status": after["status"]}, "Enabled: verify it.", as_json=as_json)


@app.command(epilog=examples("headrace outreach senders delete Sales"))
def delete(
    sender: Sender, *, tenant: Tenant = DEFAULT, by: By = None, as_json: AsJson = False
) -> None:
    """Delete a sender that no campaign names and nothing was sent from."""
    from pipeline.outreach import senders as service

    who, row = acting(by), sender_of(tenant, sender)
    service.delete(tenant, row["_id"], by=who)
    tell_done({"deleted": row["_id"]}, "Deleted.", as_json=as_json)
