"""What a tenant has set for the mail of all its users: rules, and a whitelist."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from models import User
from pipeline.mailbox import org_rules, preferences
from pipeline.masking import masked_address
from pipeline.stores import Row, collection
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import Payload, acting, stores
from pipeline.web.api.mailboxes.common import Reads, RuleId, TenantId, Writes, reveals
from pipeline.web.api.mailboxes.rule_views import (
    Order,
    RuleChanges,
    RuleList,
    RuleView,
    RuleWanted,
    rule_view,
)
from pipeline.web.api.mailboxes.views import MASKED
from pipeline.web.api.problems import documented, not_found
from pipeline.web.paths import segment

router = APIRouter(
    prefix="/tenants/{tenant:id}",
    tags=["mail policies"],
    responses=documented(404),
    dependencies=[stores("mongodb")],
)
_ACTS = documented(409)
_Text = Annotated[str, Field(max_length=320)]


class PolicyView(BaseModel):
    """Whose mail is left alone in all mailboxes of a tenant."""

    whitelisted_senders: list[str] = Field(description=MASKED)
    whitelisted_domains: list[str]


class PolicyWanted(Payload):
    """What is to change; what is left out stays as it is."""

    whitelisted_senders: list[_Text] | None = Field(default=None, max_length=1000)
    whitelisted_domains: list[_Text] | None = Field(default=None, max_length=1000)


@router.get("/mail-policy")
def get_policy(caller: Reads, tenant: TenantId) -> PolicyView:
    """Tell whose mail is left alone in all mailboxes of a tenant."""
    _check(caller, tenant)
    return _policy(preferences.policy(tenant), reveal=reveals(caller))


@router.patch("/mail-policy", responses=_ACTS)
def set_policy(
    request: Request, caller: Writes, tenant: TenantId, wanted: PolicyWanted
) -> PolicyView:
    """Change whose mail is left alone in all mailboxes of a tenant."""
    _check(caller, tenant)
    changes = wanted.model_dump(exclude_unset=True, exclude_none=True)
    with acting(request, caller, "tenant_policy.set", f"tenant {tenant}"):
        row = preferences.update_tenant_policy(tenant, changes, by=caller.actor)
    return _policy(row, reveal=reveals(caller))


@router.get("/mail-rules")
def list_org_rules(caller: Reads, tenant: TenantId) -> RuleList:
    """List the rules of a tenant: they act where no rule of the mailbox itself does."""
    _check(caller, tenant)
    found = org_rules.listed(tenant)
    return RuleList(rules=[rule_view(rule, reveal=reveals(caller)) for rule in found])


@router.post("/mail-rules", status_code=201, responses=_ACTS)
def create_org_rule(
    request: Request, caller: Writes, tenant: TenantId, response: Response, wanted: RuleWanted
) -> RuleView:
    """Make a rule of a tenant, which can neither move into a folder nor forward."""
    _check(caller, tenant)
    with acting(request, caller, "org_rule.create", f"tenant {tenant}") as row:
        rule_id = org_rules.create(tenant, **wanted.values(), by=caller.actor)
        row.details["rule"] = rule_id
    response.headers["Location"] = (
        f"{request.scope['root_path']}/tenants/{segment(tenant)}/mail-rules"
    )
    return rule_view(org_rules.get(tenant, rule_id), reveal=reveals(caller))


@router.put("/mail-rule-order", responses=_ACTS)
def order_org_rules(request: Request, caller: Writes, tenant: TenantId, wanted: Order) -> RuleList:
    """Say which rules of a tenant come first."""
    _check(caller, tenant)
    with acting(request, caller, "org_rule.move", f"tenant {tenant}"):
        org_rules.reorder(tenant, wanted.rule_ids)
    return list_org_rules(caller, tenant)


@router.patch("/mail-rules/{rule}", responses=_ACTS)
def change_org_rule(
    request: Request, caller: Writes, tenant: TenantId, rule: RuleId, wanted: RuleChanges
) -> RuleView:
    """Change a rule of a tenant; `is_enabled` turns it on and off."""
    _check(caller, tenant)
    with acting(request, caller, "org_rule.update", f"tenant {tenant}, rule {rule}"):
        row = org_rules.update(tenant, rule, wanted.values())
    return rule_view(row, reveal=reveals(caller))


@router.delete("/mail-rules/{rule}", status_code=204, responses=_ACTS)
def delete_org_rule(request: Request, caller: Writes, tenant: TenantId, rule: RuleId) -> None:
    """Delete a rule of a tenant; what it has staged goes back where it was."""
    _check(caller, tenant)
    with acting(request, caller, "org_rule.delete", f"tenant {tenant}, rule {rule}"):
        org_rules.delete(tenant, rule, by=caller.actor)


def _check(caller: Caller, tenant_id: str) -> None:
    """Raise Refused 404 if nobody is of the tenant, or the caller may not know of it."""
    there = collection(User).count_documents({"tenant_id": tenant_id}, limit=1)
    if not there or not caller.knows(tenant_id):
        raise not_found("such tenant: no user is of it")


def _policy(row: Row, *, reveal: bool) -> PolicyView:
    senders = row["whitelisted_senders"]
    return PolicyView(
        whitelisted_senders=senders if reveal else [masked_address(one) for one in senders],
        whitelisted_domains=row["whitelisted_domains"],
    )
