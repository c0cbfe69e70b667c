"""The rules of a mailbox: what is done to which mail, in which order."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from pipeline.mailbox import rules, run_now
from pipeline.web.api.common import Payload, acting, stores
from pipeline.web.api.mailboxes.common import (
    MailboxId,
    Reads,
    RuleId,
    Writes,
    mailbox_of,
    reveals,
)
from pipeline.web.api.mailboxes.rule_views import (
    ConditionsWanted,
    Order,
    RuleChanges,
    RuleList,
    RuleView,
    RuleWanted,
    rule_view,
)
from pipeline.web.api.mailboxes.simulations import Simulation, simulated
from pipeline.web.api.problems import documented
from pipeline.web.paths import segment

router = APIRouter(
    prefix="/mailboxes/{mailbox:id}",
    tags=["mail rules"],
    responses=documented(404),
    dependencies=[stores("mongodb")],
)

Days = Annotated[int, Query(ge=1, le=90, description="How far back to look.")]


class SimulationWanted(Payload):
    """A rule that need not exist."""

    conditions: ConditionsWanted
    days: int = Field(default=90, ge=1, le=90)


class RuleRun(BaseModel):
    """What a rule is to do with mail that is there already."""

    mails: int = Field(description="So many; it goes on by itself, and the audit tells of it.")


@router.get("/rules")
def list_rules(caller: Reads, mailbox: MailboxId) -> RuleList:
    """List the rules of a mailbox, first to last; those of its tenant come after them."""
    row = mailbox_of(caller, mailbox)
    found = rules.listed(row["user_id"], row["_id"])
    return RuleList(rules=[rule_view(rule, reveal=reveals(caller)) for rule in found])


@router.post("/rules", status_code=201, responses=documented(409))
def create_rule(
    request: Request, response: Response, caller: Writes, mailbox: MailboxId, wanted: RuleWanted
) -> RuleView:
    """Make a rule, the last of its mailbox.

    If one asks for the same already, that one is enabled and does what is asked here.
    """
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "rule.create", f"mailbox {mailbox}") as row:
        rule_id = rules.create(user_id, mailbox, **wanted.values(), by=caller.actor)
        row.details["rule"] = rule_id
    at = f"/mailboxes/{segment(mailbox)}/rules/{rule_id}"
    response.headers["Location"] = request.scope["root_path"] + at
    return rule_view(rules.get(user_id, rule_id), reveal=reveals(caller))


@router.put("/rule-order", responses=documented(409))
def order_rules(request: Request, caller: Writes, mailbox: MailboxId, wanted: Order) -> RuleList:
    """Say which rules come first."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "rule.move", f"mailbox {mailbox}"):
        rules.reorder(user_id, mailbox, wanted.rule_ids, by=caller.actor)
    return list_rules(caller, mailbox)


@router.post("/rule-simulations")
def simulate_rule(caller: Writes, mailbox: MailboxId, wanted: SimulationWanted) -> Simulation:
    """Look up which mail that has arrived a rule would have met; nothing is done."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    return simulated(user_id, wanted.conditions.values(), wanted.days, reveal=reveals(caller))


@router.get("/rules/{rule}")
def get_rule(caller: Reads, mailbox: MailboxId, rule: RuleId) -> RuleView:
    """Tell of one rule."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    return rule_view(rules.get(user_id, rule), reveal=reveals(caller))


@router.patch("/rules/{rule}", responses=documented(409))
def change_rule(
    request: Request, caller: Writes, mailbox: MailboxId, rule: RuleId, wanted: RuleChanges
) -> RuleView:
    """Change a rule; `is_enabled` turns it on and off."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "rule.update", f"mailbox {mailbox}, rule {rule}"):
        row = rules.update(user_id, rule, wanted.values(), by=caller.actor)
    return rule_view(row, reveal=reveals(caller))


@router.delete("/rules/{rule}", status_code=204, responses=documented(409))
def delete_rule(request: Request, caller: Writes, mailbox: MailboxId, rule: RuleId) -> None:
    """Delete a rule; what it has staged goes back where it was."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "rule.delete", f"mailbox {mailbox}, rule {rule}"):
        rules.delete(user_id, rule, by=caller.actor)


@router.get("/rules/{rule}/simulation")
def simulate_own_rule(
    caller: Reads, mailbox: MailboxId, rule: RuleId, days: Days = 90
) -> Simulation:
    """Look up which mail that has arrived a rule would have met; nothing is done."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    conditions = rules.get(user_id, rule).get("conditions") or {}
    return simulated(user_id, conditions, days, reveal=reveals(caller))


@router.post(
    "/rules/{rule}/runs", status_code=202, responses=documented(409), dependencies=[stores("redis")]
)
def run_rule(request: Request, caller: Writes, mailbox: MailboxId, rule: RuleId) -> RuleRun:
    """Do to mail that is there already what the rule does to new mail; it can be undone."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "rule.run", f"mailbox {mailbox}, rule {rule}") as row:
        started = run_now.run_now(user_id, mailbox, rule, caller.actor)
        row.details["mails"] = started.mails
    return RuleRun(mails=started.mails)
