"""`headrace outreach campaigns check` and `publish`: plans before and after they are taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import USAGE
from pipeline.cli.output import AsJson, console, examples, note, print_json
from pipeline.cli.outreach.campaigns import Campaign, app
from pipeline.cli.outreach.common import (
    DEFAULT,
    Tenant,
    acting,
    campaign_of,
    document_of,
    tell_done,
)
from pipeline.cli.outreach.plan_problems import documents_of, note_problems, require_valid

if TYPE_CHECKING:
    pass

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN.json", help="A plan; - is standard input.")]


@app.command(
    epilog=examples("headrace outreach campaigns check welcome.json"),
)
def check(plan: PlanFile, *, as_json: AsJson = False) -> None:
    """Check a plan without a store: errors by path, with exit code 2, and the plan as a tree."""
    from pipeline.outreach import plans
    from pipeline.outreach.reading.plans import of_plan

    found = plans.check(document_of(plan))
    if as_json:
        print_json({"errors": documents_of(found.errors), "warnings": documents_of(found.warnings)})
    else:
        note_problems(found.errors, "error")
        note_problems(found.warnings, "warning")
        if found.plan is not None and not found.errors:
            from pipeline.cli.outreach.plan_trees import tree_of

            nodes = of_plan(plans.canonical(found.plan))
            console().print(tree_of(nodes, f"Plan, {found.plan.time_zone}"))
            note("The plan is valid.")
    if found.errors:
        raise typer.Exit(USAGE)


@app.command(epilog=examples("headrace outreach campaigns publish Welcome welcome.json"))
def publish(
    campaign: Campaign,
    plan: PlanFile,
    *,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Give a campaign a plan; contacts that have begun stay with the one they began with."""
    from pipeline.outreach import campaigns as service

    who = acting(by)
    document = document_of(plan)
    require_valid(document, as_json=as_json)
    row = campaign_of(tenant, campaign)
    version = service.publish(tenant, row["_id"], document, by=who)
    tell_done({"id": row["_id"], "version": version}, f"Plan {version}.", as_json=as_json)
