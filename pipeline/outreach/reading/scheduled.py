"""What is to happen next, and why then."""

from __future__ import annotations

from dataclasses import dataclass

from models import Campaign, ScheduledAction, SenderIdentity
from models.outreach import ACTION_OPEN
from pipeline.outreach.reading import names
from pipeline.outreach.reading.pages import Page, by_time
from pipeline.outreach.reading.words import event_in_words
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action that is still to happen: `what` in words, `who` it happens to."""

    action: Row
    what: str
    who: str
    campaign: str
    sender: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.action["_id"])

    @property
    def because(self) -> str:
        """Why it is due when it is."""
        return self.action.get("because") or ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which actions; empty: any.  `kind` is "send" or "timeout"."""

    campaign_id: str = ""
    sender_id: str = ""
    enrollment_id: str = ""
    kind: str = ""


def listed(
    tenant_id: str,
    limit: int = 50,
    *,
    after: str = "",
    wanted: Filter | None = None,
    reveal: bool = False,
) -> Page[ActionRow]:
    """Return what is still to happen, the soonest first.  Raises ValueError."""
    query = _query(tenant_id, wanted or Filter())
    rows, following = by_time(ScheduledAction, query, "due_at", limit, after, newest_last=True)
    return Page(_rows(tenant_id, rows, reveal=reveal), following)


def _query(tenant_id: str, wanted: Filter) -> Row:
    query: Row = {"tenant_id": tenant_id, "status": {"$in": list(ACTION_OPEN)}}
    given = {
        "campaign_id": wanted.campaign_id,
        "sender_id": wanted.sender_id,
        "enrollment_id": wanted.enrollment_id,
        "kind": wanted.kind,
    }
    query |= {name: value for name, value in given.items() if value}
    if not wanted.campaign_id and not wanted.enrollment_id:
        # The index that has them in order begins with the campaign.
        own = collection(Campaign).distinct("_id", {"tenant_id": tenant_id, "status": _MOVING})
        query["campaign_id"] = {"$in": own}
    return query


#: Statuses of a campaign of which something may still happen.
_MOVING = {"$in": ["active", "paused", "stopped"]}


def _rows(tenant_id: str, rows: list[Row], *, reveal: bool) -> list[ActionRow]:
    contacts = names.contacts_of(tenant_id, [row["contact_id"] for row in rows])
    campaigns = _named(Campaign, tenant_id, [row["campaign_id"] for row in rows])
    senders = _named(SenderIdentity, tenant_id, [row.get("sender_id") or "" for row in rows])
    return [
        ActionRow(
            row,
            in_words(row),
            names.label(contacts.get(row["contact_id"]), reveal=reveal),
            campaigns.get(row["campaign_id"], ""),
            senders.get(row.get("sender_id") or "", ""),
        )
        for row in rows
    ]


def in_words(action: Row) -> str:
    """Return what is to happen: "send “welcome”", "no open at “welcome”"."""
    node = f"“{action['node_id']}”"
    if action["kind"] == "send":
        return f"send {node}"
    return f"{event_in_words(action.get('event') or 'the end of a wait')} at {node}"


def _named(
    model: type[Campaign | SenderIdentity], tenant_id: str, ids: list[str]
) -> dict[str, str]:
    query = {"_id": {"$in": sorted(set(ids) - {""})}, "tenant_id": tenant_id}
    return {row["_id"]: row["name"] for row in collection(model).find(query, {"name": 1})}
