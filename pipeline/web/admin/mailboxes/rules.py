"""The Rules pages of a mailbox: what is done to which mail, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import Gone
from pipeline.jobs.redaction import masked
from pipeline.mailbox import guards, rules
from pipeline.mailbox.org_rules import listed as org_listed
from pipeline.mailbox.reading.folders import choices, paths
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.mailbox.reading.words import actions_in_words, conditions_in_words
from pipeline.stores import Row
from pipeline.web.admin.mailboxes import rule_acts, rule_form, simulations
from pipeline.web.admin.mailboxes.common import ONE, framed
from pipeline.web.pages import NotFound, Visit, page


def shown_rule(row: Row, folders: Mapping[str, str]) -> dict[str, Any]:
    """Return what the pages say of a rule; addresses are masked."""
    stats = row.get("stats") or {}
    return {
        "id": str(row["_id"]),
        "name": masked(row["name"]),
        "conditions": conditions_in_words(row.get("conditions") or {}, folders),
        "acts": actions_in_words(row.get("actions") or (), folders),
        "stages": any(a["action_type"] == "delete" for a in row.get("actions") or ())
        and not row.get("skip_staging"),
        "is_enabled": row.get("is_enabled", True),
        "pattern_id": row.get("source_pattern_id") or "",
        "executions": stats.get("total_executions") or 0,
        "last_executed_at": stats.get("last_executed_at"),
        "mirrored": bool(row.get("graph_rule_id")),
        "mirror_error": row.get("mirror_error") or "",
        "created_by": masked(row.get("created_by") or ""),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _read(visit: Visit) -> Mapping[str, Any]:
    def read(box: MailboxRow) -> Mapping[str, Any]:
        mailbox = box.mailbox
        folders = paths(mailbox["user_id"])
        policy = guards.policy_of(mailbox["tenant_id"]) or {}
        return {
            "rows": [shown_rule(row, folders) for row in rules.listed(mailbox["user_id"], box.id)],
            "org": [shown_rule(row, folders) for row in org_listed(mailbox["tenant_id"])],
            "whitelisted": _whitelisted(mailbox.get("settings") or {}),
            "whitelisted_by_tenant": _whitelisted(policy),
        }

    return framed(visit, "/rules", read)


def _whitelisted(row: Row) -> int:
    return len(row.get("whitelisted_senders") or ()) + len(row.get("whitelisted_domains") or ())


def _read_one(visit: Visit) -> Mapping[str, Any]:
    days = simulations.days_of(visit)

    def read(box: MailboxRow) -> Mapping[str, Any]:
        user_id = box.mailbox["user_id"]
        row, folders = _rule(user_id, visit.path["rule_id"]), paths(user_id)
        conditions = row.get("conditions") or {}
        return {
            "rule": shown_rule(row, folders),
            "simulation": simulations.simulated(user_id, conditions, days, folders),
        }

    context = framed(visit, "/rules", read)
    return context | {
        "rule_url": f"{context['here']}/{visit.path['rule_id']}",
        "days": days,
        "spans": simulations.tabs(visit, days),
    }


def _rule(user_id: str, rule_id: str) -> Row:
    try:
        return rules.get(user_id, rule_id)
    except Gone:
        raise NotFound("There is no such rule; somebody may have deleted it.") from None


def _read_new(visit: Visit) -> Mapping[str, Any]:
    def read(box: MailboxRow) -> Mapping[str, Any]:
        return {"folders": choices(box.mailbox["user_id"])}

    return framed(visit, "/rules", read) | {
        "form": rule_form.filled(),
        "places": rule_form.PLACES,
    }


_LIST = f"{ONE}/rules"
routes = [
    page(_LIST, "mailboxes/rules", _read, title="Rules", nav="mailboxes"),
    page(
        f"{_LIST}/new",
        "mailboxes/rule_new",
        _read_new,
        title="New rule",
        role="operator",
        nav="mailboxes",
        seconds=3600,
    ),
    *rule_acts.list_routes,
    page(
        f"{_LIST}/{{rule_id:id}}",
        "mailboxes/rule",
        _read_one,
        title="Rule",
        nav="mailboxes",
        seconds=5,
    ),
    *rule_acts.routes,
]
