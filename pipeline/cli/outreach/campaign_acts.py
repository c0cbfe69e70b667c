"""What is done with campaigns: started, paused, stopped, and filled with contacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, examples, note, number, print_json
from pipeline.cli.outreach.campaigns import Campaign, app
from pipeline.cli.outreach.common import (
    DEFAULT,
    Reason,
    Tenant,
    acting,
    campaign_of,
    tell_done,
)
from pipeline.cli.outreach.plan_problems import documents_of, note_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.outreach.enrolling import Enrolled


@app.command(epilog=examples("headrace outreach campaigns activate Welcome"))
def activate(
    campaign: Campaign, *, tenant: Tenant = DEFAULT, by: By = None, as_json: AsJson = False
) -> None:
    """Start a draft: its contacts are begun with. Says all that is missing, if anything is."""
    from pipeline.outreach import campaigns as service

    who, row = acting(by), campaign_of(tenant, campaign)
    missing = service.readiness(tenant, row["_id"]) if row["status"] == "draft" else []
    if missing:
        if as_json:
            print_json({"id": row["_id"], "missing": documents_of(missing)})
        else:
            note_problems(missing, "missing")
        raise typer.Exit(FAILED)
    service.activate(tenant, row["_id"], by=who)
    tell_done({"id": row["_id"], "status": "active"}, "It is active.", as_json=as_json)


@app.command(epilog=examples("headrace outreach campaigns pause Welcome --reason 'wrong price'"))
def pause(
    campaign: Campaign,
    *,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Have nobody in a campaign move on; nothing of it is sent."""
    from pipeline.outreach import campaigns as service

    _act(service.pause, campaign, tenant, by, reason, "paused", as_json=as_json)


@app.command(epilog=examples("headrace outreach campaigns resume Welcome"))
def resume(
    campaign: Campaign,
    *,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let a paused campaign go on; what came due meanwhile is done now."""
    from pipeline.outreach import campaigns as service

    _act(service.resume, campaign, tenant, by, reason, "active", as_json=as_json)


@app.command(epilog=examples("headrace outreach campaigns stop Welcome --yes"))
def stop(
    campaign: Campaign,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: Reason = "",
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """End a campaign and all in it, for good."""
    from pipeline.cli.users import confirm
    from pipeline.outreach import campaigns as service

    confirm(f"Stop {campaign}, for good?", yes=yes)
    _act(service.stop, campaign, tenant, by, reason, "stopped", as_json=as_json)


def _act(
    act: Callable[..., None],
    campaign: str,
    tenant: str,
    by: str | None,
    reason: str,
    status: str,
    *,
    as_json: bool,
) -> None:
    who, row = acting(by), campaign_of(tenant, campaign)
    act(tenant, row["_id"], by=who, reason=reason)
    tell_done({"id": row["_id"], "status": status}, f"It is {status}.", as_json=as_json)


@app.command(
    epilog=examples(
        "headrace outreach campaigns enroll Welcome --all",
        "headrace outreach campaigns enroll Welcome --import 0f3c…",
        "headrace outreach campaigns enroll Welcome --file people.csv",
        "headrace outreach campaigns enroll Welcome ada@shop.example bob@shop.example",
    )
)
def enroll(
    campaign: Campaign,
    contacts: Annotated[
        list[str] | None, typer.Argument(metavar="[CONTACT]...", help="Ids or addresses.")
    ] = None,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="All contacts of the tenant.")] = False,
    import_id: Annotated[str, typer.Option("--import", help="Those of this import.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="Import this CSV file, and enroll who is in it.")
    ] = None,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Put contacts into a campaign; those of an active one are begun with. Safe to run again."""
    ways = [bool(contacts), everybody, bool(import_id), file is not None]
    if sum(ways) != 1:
        raise WrongUse("say whom: contacts, --all, --import or --file, one of them")
    who, row = acting(by), campaign_of(tenant, campaign)
    if file is not None:
        import_id = _imported(file, tenant, by)
    if import_id:
        _require_import(tenant, import_id)
    done = _enrolled(tenant, row["_id"], contacts or [], import_id, who)
    document = {"added": done.added, "already": done.already, "refused": done.refused}
    text = f"{number(done.added)} added, {number(done.already)} were in it already"
    text += f", {number(done.refused)} were refused" if done.refused else ""
    tell_done(document, f"{text}.", as_json=as_json)


def _enrolled(
    tenant: str, campaign_id: str, contacts: list[str], import_id: str, who: str
) -> Enrolled:
    from pipeline.cli.outreach.common import contact_of
    from pipeline.outreach import enrolling

    if contacts:
        ids = [contact_of(tenant, text)["_id"] for text in contacts]
        return enrolling.enroll(tenant, campaign_id, ids, by=who)
    return enrolling.enroll_all(tenant, campaign_id, import_id or None, by=who)


def _require_import(tenant: str, import_id: str) -> None:
    from pipeline.errors import Gone
    from pipeline.outreach.reading import contacts as reading

    try:
        reading.one_import(tenant, import_id)
    except Gone:
        raise WrongUse("--import: there is no such import") from None


def _imported(file: Path, tenant: str, by: str | None) -> str:
    """Import a file and tell what is wrong in it; return the id of the import."""
    from pipeline.cli.outreach.contact_files import imported

    report = imported(file, {}, tenant, by, shown=True)
    if report["rejected"]:
        note(f"{number(report['rejected'])} rows were rejected: see import {report['_id']}.")
    return str(report["_id"])
