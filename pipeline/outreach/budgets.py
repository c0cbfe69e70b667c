"""What may be sent: by a sender, by its tenant, to one domain, and by all tenants together.

A limit of a sender's or tenant's own goes before that of the settings; 0 lets nothing be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from models import OutboundMessage, ScheduledAction, Tenant
from pipeline.config import settings
from pipeline.limits import budgets
from pipeline.limits.budgets import Budget, Room
from pipeline.stores import Row, collection

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
#: The budget of a recipients' domain.
DOMAIN = "domain"

#: A sender's limits: the field, the window, and what the budget is called.
_OF_SENDER = (
    ("per_minute", MINUTE, "sender_minute"),
    ("per_hour", HOUR, "sender_hour"),
    ("per_day", DAY, "sender_day"),
)
_WORDS = {
    "sender_minute": "its sender may send {} in any minute",
    "sender_hour": "its sender may send {} in any hour",
    "sender_day": "its sender may send {} in any day",
    "tenant": "its tenant may send {} in any hour",
    DOMAIN: "its tenant may send {} to one domain in any hour",
    "total": "all tenants together may send {} in any hour",
}
#: Of so many domains that a sender has written to lately is shown what is in use.
_MOST_DOMAINS = 5


class Use(NamedTuple):
    """How much of a budget is in use; `domain` if it is that of one."""

    name: str
    used: int
    limit: int
    seconds: float
    domain: str = ""


class Shown(NamedTuple):
    """How a sender stands.

    `waiting` sends are due and have not begun; `next_at` is when it may send the next one.
    """

    uses: list[Use]
    waiting: int
    next_at: datetime


def of_sender(sender: Row, tenant: Row | None, domain: str | None = None) -> list[Budget]:
    """Return the budgets that a message of `sender` needs; `tenant` has set nothing if None."""
    tenant_id, own, known = str(sender["tenant_id"]), sender.get("limits") or {}, settings()
    found = [
        Budget(
            f"sender:{sender['_id']}",
            _first(own.get(field), getattr(known, f"outreach_{sender['channel']}_{field}")),
            seconds,
            name,
        )
        for field, seconds, name in _OF_SENDER
    ]
    per_hour = _first((tenant or {}).get("sends_per_hour"), known.outreach_tenant_per_hour)
    found.append(Budget(f"tenant:{tenant_id}", per_hour, HOUR, "tenant"))
    if domain and sender["channel"] == "email":
        found.append(of_domain(tenant_id, tenant, domain))
    return [*found, Budget("total", known.outreach_total_per_hour, HOUR, "total")]


def of_domain(tenant_id: str, tenant: Row | None, domain: str) -> Budget:
    """Return the budget of a tenant's mail to one domain."""
    own = (tenant or {}).get("domain_sends_per_hour")
    limit = _first(own, settings().outreach_domain_per_hour)
    return Budget(f"{DOMAIN}:{tenant_id}:{domain}", limit, HOUR, DOMAIN)


def sender_room(sender: Row, tenant: Row | None) -> Room:
    """Return how many messages a sender could send now, to whatever domains.

    Raises redis.RedisError.
    """
    return budgets.room(of_sender(sender, tenant))


def words(budget: Budget) -> str:
    """Return a limit in words, as what somebody waits for."""
    return _WORDS[budget.name].format(f"{budget.limit:,}")


def shown(sender: Row) -> Shown:
    """Return how a sender stands.  Raises redis.RedisError."""
    now = datetime.now(UTC)
    tenant = collection(Tenant).find_one({"_id": sender["tenant_id"]})
    own = of_sender(sender, tenant)
    domains = _busiest(sender, now)
    theirs = [of_domain(sender["tenant_id"], tenant, domain) for domain in domains]
    uses = _uses(own, [""] * len(own)) + _uses(theirs, domains)
    free_at = now + timedelta(seconds=budgets.room(own).wait_seconds)
    held = sender.get("hold_until") or now
    return Shown(uses, _waiting(sender, now), max(free_at, held))


def _uses(found: Sequence[Budget], domains: Sequence[str]) -> list[Use]:
    return [
        Use(budget.name, units, budget.limit, budget.seconds, domain)
        for budget, units, domain in zip(found, budgets.used(found), domains, strict=True)
    ]


def _busiest(sender: Row, now: datetime) -> list[str]:
    """Return the domains that a sender has sent most to within the hour."""
    if sender["channel"] != "email":
        return []
    since = now - timedelta(seconds=HOUR)
    rows = collection(OutboundMessage).aggregate(
        [
            {"$match": {"sender_id": sender["_id"], "sent_at": {"$gte": since}}},
            {"$group": {"_id": "$domain", "count": {"$sum": 1}}},
            {"$sort": {"count": -1, "_id": 1}},
            {"$limit": _MOST_DOMAINS},
        ]
    )
    return [str(row["_id"]) for row in rows if row["_id"]]


def _waiting(sender: Row, now: datetime) -> int:
    due = {"sender_id": sender["_id"], "status": "pending", "kind": "send"}
    # Left to itself MongoDB may look through the lines of all senders for it.
    return collection(ScheduledAction).count_documents(
        {**due, "due_at": {"$lte": now}}, hint="sender_due_pending"
    )


def _first(own: int | None, usual: int) -> int:
    return usual if own is None else own
