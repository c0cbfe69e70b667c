"""The ledger of messages as it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from models import OutboundMessage, OutreachEvent
from models.outreach import MESSAGE_STATES
from pipeline.errors import Gone
from pipeline.outreach.reading import campaigns, names
from pipeline.outreach.reading.pages import Page, by_time
from pipeline.outreach.reading.stats import OUTCOMES
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message in a list: `to` and `subject` are empty once its contact was forgotten.

    `outcomes` names what has come of it, in the order of time.
    """

    message: Row
    to: str
    subject: str
    campaign: str
    outcomes: list[str]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.message["_id"])


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages; empty: any.  `outcome` is one of stats.OUTCOMES, `to` a whole address."""

    state: str = ""
    campaign_id: str = ""
    enrollment_id: str = ""
    sender_id: str = ""
    node_id: str = ""
    outcome: str = ""
    to: str = ""


def listed(
    tenant_id: str,
    limit: int = 50,
    *,
    after: str = "",
    wanted: Filter | None = None,
    reveal: bool = False,
) -> Page[MessageRow]:
    """Return messages, the newest first.  Raises ValueError for a place that is none."""
    query = _query(tenant_id, wanted or Filter())
    rows, following = by_time(OutboundMessage, query, "created_at", limit, after)
    return Page(_rows(tenant_id, rows, reveal=reveal), following)


def find(tenant_id: str, message_id: str, *, reveal: bool = False) -> MessageRow:
    """Return a message.  Raises Gone."""
    row = collection(OutboundMessage).find_one({"_id": message_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("there is no such message")
    return _rows(tenant_id, [row], reveal=reveal)[0]


def events_of(tenant_id: str, message_id: str) -> list[Row]:
    """Return what happened to a message, the first first."""
    query = {"message_id": message_id, "tenant_id": tenant_id}
    return list(collection(OutreachEvent).find(query).sort("occurred_at", 1).limit(1000))


def counts(tenant_id: str) -> dict[str, int]:
    """Return how many messages of each state there are but `sent`, which may be very many."""
    others = [state for state in MESSAGE_STATES if state != "sent"]
    match = {"$match": {"tenant_id": tenant_id, "state": {"$in": others}}}
    group = {"$group": {"_id": "$state", "count": {"$sum": 1}}}
    rows = collection(OutboundMessage).aggregate([match, group])
    found = {row["_id"]: row["count"] for row in rows}
    return {state: found.get(state, 0) for state in others}


def _query(tenant_id: str, wanted: Filter) -> Row:
    query: Row = {"tenant_id": tenant_id, "state": wanted.state or {"$in": list(MESSAGE_STATES)}}
    given = {
        "campaign_id": wanted.campaign_id,
        "enrollment_id": wanted.enrollment_id,
        "sender_id": wanted.sender_id,
        "node_id": wanted.node_id,
        "to_address": wanted.to.strip().lower(),
    }
    query |= {name: value for name, value in given.items() if value}
    if wanted.outcome:
        query[OUTCOMES[wanted.outcome]] = {"$ne": None}
    return query


def _rows(tenant_id: str, rows: list[Row], *, reveal: bool) -> list[MessageRow]:
    called = campaigns.names(tenant_id, [row["campaign_id"] for row in rows])
    return [
        MessageRow(
            row,
            names.address(row.get("to_address"), reveal=reveal),
            _subject(row, reveal=reveal),
            called.get(row["campaign_id"], ""),
            _outcomes(row),
        )
        for row in rows
    ]


def _subject(row: Row, *, reveal: bool) -> str:
    subject = row.get("subject") or ""
    return subject if reveal or not subject else f"({len(subject)} characters)"


def _outcomes(row: Row) -> list[str]:
    happened = [(row[at], name) for name, at in OUTCOMES.items() if row.get(at)]
    return [name for _, name in sorted(happened)]
