"""What came of messages: counts and rates, with how sure the rates are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from models import OutboundMessage
from pipeline.outreach.reading import remembered
from pipeline.stores import Row, collection
from pipeline.wilson import interval

#: What may come of a message that was sent, by the time of it on the message.
OUTCOMES = {
    "delivered": "delivered_at",
    "opened": "opened_at",
    "clicked": "clicked_at",
    "replied": "replied_at",
    "bounced": "bounced_at",
    "spam_report": "spam_report_at",
    "unsubscribed": "unsubscribed_at",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `of`, and between which rates (0 to 1) the true one is, with 95 % certainty."""

    count: int
    of: int
    rate: float
    low: float
    high: float

    @classmethod
    def of_counts(cls, count: int, of: int) -> Rate:
        """Return the rate of `count` in `of`; of nothing it is 0, and nothing is certain."""
        low, high = interval(count, of)
        return cls(count, of, count / of if of else 0.0, low, high)


@dataclass(frozen=True, slots=True)
class Stats:
    """What came of messages; `outcomes` has a rate by each name of OUTCOMES, of those sent.

    `waiting` are claimed, refused in passing or canceled; `unknown` may have been sent.
    """

    sent: int = 0
    failed: int = 0
    unknown: int = 0
    waiting: int = 0
    outcomes: dict[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CampaignStats:
    """Of all messages of a campaign, and of each node's by its id; `at` is when it was counted."""

    total: Stats
    nodes: dict[str, Stats]
    at: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """How much of each was on a day (UTC): messages sent by their time, outcomes by theirs."""

    day: str
    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    bounced: int = 0
    spam_report: int = 0
    unsubscribed: int = 0


def of_campaign(tenant_id: str, campaign_id: str) -> CampaignStats:
    """Return what came of the messages of a campaign, some seconds old at the most."""
    return remembered.lately(
        ("stats", tenant_id, campaign_id), lambda: _of_campaign(tenant_id, campaign_id)
    )


def days(tenant_id: str, campaign_id: str, count: int = 30) -> list[Day]:
    """Return the last `count` days of a campaign, the oldest first, some seconds old at most."""
    return remembered.lately(
        ("days", tenant_id, campaign_id, count), lambda: _days(tenant_id, campaign_id, count)
    )


def _of_campaign(tenant_id: str, campaign_id: str) -> CampaignStats:
    match = {"campaign_id": campaign_id, "tenant_id": tenant_id}
    found = list(collection(OutboundMessage).aggregate([{"$match": match}, _grouped()]))
    nodes: dict[str, list[Row]] = {}
    for row in found:
        nodes.setdefault(row["_id"]["node"], []).append(row)
    by_node = {node: _stats(rows) for node, rows in sorted(nodes.items())}
    return CampaignStats(_stats(found), by_node, datetime.now(UTC))


def _grouped() -> Row:
    """Return the stage that counts by node and state; the outcomes only of what was sent."""
    happened = {
        name: {"$sum": {"$cond": [{"$gt": [f"${at}", None]}, 1, 0]}}
        for name, at in OUTCOMES.items()
    }
    by = {"node": "$node_id", "state": "$state"}
    return {"$group": {"_id": by, "count": {"$sum": 1}, **happened}}


def _stats(rows: Iterable[Row]) -> Stats:
    counts: dict[str, int] = {}
    happened: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    for row in rows:
        counts[row["_id"]["state"]] = counts.get(row["_id"]["state"], 0) + row["count"]
        if row["_id"]["state"] == "sent":
            happened = {name: happened[name] + row[name] for name in OUTCOMES}
    sent = counts.pop("sent", 0)
    failed, unknown = counts.pop("failed", 0), counts.pop("unknown", 0)
    return Stats(sent, failed, unknown, sum(counts.values()), _rates(happened, sent))


def _rates(happened: Mapping[str, int], sent: int) -> dict[str, Rate]:
    return {name: Rate.of_counts(count, sent) for name, count in happened.items()}


def _days(tenant_id: str, campaign_id: str, count: int) -> list[Day]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=count - 1)
    match = {"campaign_id": campaign_id, "tenant_id": tenant_id, "state": "sent"}
    times = {"sent": "sent_at", **OUTCOMES}
    facets = {name: _by_day(at, start) for name, at in times.items()}
    [found] = collection(OutboundMessage).aggregate([{"$match": match}, {"$facet": facets}])
    counted: dict[str, dict[str, int]] = {}
    for name, rows in found.items():
        for row in rows:
            counted.setdefault(row["_id"], {})[name] = row["count"]
    wanted = [(start + timedelta(days=number)).date().isoformat() for number in range(count)]
    return [Day(day, **counted.get(day, {})) for day in wanted]


def _by_day(at: str, start: datetime) -> list[dict[str, Any]]:
    day = {"$dateToString": {"date": f"${at}", "format": "%Y-%m-%d"}}
    return [
        {"$match": {at: {"$gte": start}}},
        {"$group": {"_id": day, "count": {"$sum": 1}}},
    ]
