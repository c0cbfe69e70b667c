"""`headrace outreach senders set`: what a sender has beside its name and provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, examples
from pipeline.cli.outreach.common import DEFAULT, Tenant, acting, sender_of, tell_done
from pipeline.cli.outreach.sender_acts import (
    DisplayName,
    PerDay,
    PerHour,
    PerMinute,
    ReplyTo,
    SyncedUser,
    secrets,
)
from pipeline.cli.outreach.senders import Sender, app

if TYPE_CHECKING:
    from pipeline.stores import Row


@app.command(
    "set",
    epilog=examples(
        "headrace outreach senders set Sales --user ada --per-hour 500",
        "headrace outreach senders set Sales --reply-to ''",
        "SECRET=SG.… headrace outreach senders set Sales --credential api_key=env:SECRET",
    ),
)
def set_fields(
    sender: Sender,
    *,
    name: Annotated[str | None, typer.Option(help="What you call it.")] = None,
    display_name: DisplayName = None,
    reply_to: ReplyTo = None,
    user: SyncedUser = None,
    credential: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=env:VARIABLE",
            help="Its own secret, read from a variable of the environment; verify it then.",
        ),
    ] = None,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Change a sender; an empty text removes what is there. Limits hold from the next message."""
    from pipeline.outreach import senders as service

    texts = {"name": name, "display_name": display_name, "reply_to": reply_to, "user_id": user}
    limits = {"per_minute": per_minute, "per_hour": per_hour, "per_day": per_day}
    changes: dict[str, Any] = {field: text for field, text in texts.items() if text is not None}
    who, row = acting(by), sender_of(tenant, sender)
    if any(limit is not None for limit in limits.values()):
        changes["limits"] = _limits(row, limits)
    if credential:
        changes["credentials"] = secrets(credential)
    if not changes:
        raise WrongUse("say what to set; see --help")
    after = service.update(tenant, row["_id"], changes, by=who)
    document = {"id": row["_id"], "changed": sorted(changes), "status": after["status"]}
    follows = f"; `headrace outreach senders verify '{after['name']}'` is next"
    text = f"Changed{'' if after['status'] == row['status'] else follows}."
    tell_done(document, text, as_json=as_json)


def _limits(sender: Row, given: dict[str, int | None]) -> dict[str, int]:
    """Return the limits that it had, and those that are given."""
    changed = {span: limit for span, limit in given.items() if limit is not None}
    return dict(sender.get("limits") or {}) | changed
