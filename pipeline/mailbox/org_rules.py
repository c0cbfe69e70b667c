"""The rules of a tenant, for the mail of all its users that none of their own rules meets.

Operators make them; who did what is in the operators' audit.  They know no folder of a
mailbox and send no mail, which their model sees to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo.client_session import ClientSession

from models import Rule
from pipeline.mailbox import rule_store, staging
from pipeline.mailbox.rule_content import changed_content
from pipeline.mailbox.rule_content import content as checked
from pipeline.stores import Row, collection


def create(
    tenant_id: str,
    *,
    name: str,
    conditions: Mapping[str, Any],
    actions: Sequence[Mapping[str, Any]],
    by: str,
    skip_staging: bool = False,
    is_enabled: bool = True,
) -> str:
    """Make a rule, the last of its tenant, and return its id.  Raises Refused."""
    now = datetime.now(UTC)
    said = {
        "name": name,
        "conditions": conditions,
        "actions": actions,
        "skip_staging": skip_staging,
        "is_enabled": is_enabled,
    }
    whose = {"tenant_id": tenant_id, "scope": "org", "created_by": by}
    row = checked(changed_content(said) | whose | {"created_at": now, "updated_at": now}, None)

    def write(session: ClientSession) -> str:
        fresh = row | {"priority": rule_store.next_priority(_whose(tenant_id), session)}
        return str(collection(Rule).insert_one(fresh, session=session).inserted_id)

    return rule_store.transaction(write)


def update(
    tenant_id: str, rule_id: str, changes: Mapping[str, Any], *, version: int | None = None
) -> Row:
    """Change fields of a rule and return it; with `version`, only if it still has that one.

    Raises Refused, Gone.
    """
    patch = changed_content(changes)

    def edit(before: Row) -> Row:
        fresh = patch | {"updated_at": datetime.now(UTC)}
        checked({n: v for n, v in (before | fresh).items() if n in Rule._fields}, None)
        return fresh

    return rule_store.change(_whose(tenant_id), rule_id, edit, version, lambda *_: None)


def delete(tenant_id: str, rule_id: str, *, by: str) -> None:
    """Delete a rule: what it has staged, in whose mailbox ever, is given back.  Raises Gone."""
    rule = update(tenant_id, rule_id, {"is_enabled": False})
    staging.release_rule(None, rule_id, by)
    rule_store.remove(rule, lambda *_: None, datetime.now(UTC))


def reorder(tenant_id: str, rule_ids: Sequence[str]) -> None:
    """Give rules of a tenant their order; those not named follow.  Raises Refused."""
    rule_store.reorder(_whose(tenant_id), rule_ids, lambda *_: None, datetime.now(UTC))


def get(tenant_id: str, rule_id: str) -> Row:
    """Return a rule of a tenant.  Raises Gone."""
    return rule_store.find(_whose(tenant_id), rule_id)


def listed(tenant_id: str) -> list[Row]:
    """Return the rules of a tenant, first to last."""
    return rule_store.in_order(_whose(tenant_id))


def _whose(tenant_id: str) -> Row:
    return {"tenant_id": tenant_id, "scope": "org"}
