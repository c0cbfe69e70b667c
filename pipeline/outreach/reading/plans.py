"""A campaign's plan as a graph: its nodes, what leads from one to the next, and who is where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models import Enrollment, PlanVersion
from pipeline.errors import Gone
from pipeline.outreach.reading import remembered, stats
from pipeline.outreach.reading.stats import Stats
from pipeline.outreach.reading.words import length_in_words, rule_in_words
from pipeline.stores import Row, collection

STOP = "stop"


@dataclass(frozen=True, slots=True)
class Edge:
    """What leads from a node to another; `to` is "stop" at the end of the plan.

    `on` is the event, `rule` when it is followed in words, `position` its place among the
    node's own: the first that fits is followed.
    """

    source: str
    to: str
    on: str
    rule: str
    position: int


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node: what it is, who is there now by status, and what came of its messages.

    `when` says in words when a message goes out.  `contacts` counts those of every version of
    the plan that are at a node of this name.
    """

    id: str
    action: str
    channel: str
    subject: str
    body: str
    when: str
    is_start: bool
    contacts: dict[str, int]
    stats: Stats
    edges: list[Edge] = field(default_factory=list)

    @property
    def here(self) -> int:
        """How many contacts are here and go on: active or paused."""
        return self.contacts.get("active", 0) + self.contacts.get("paused", 0)


@dataclass(frozen=True, slots=True)
class PlanView:
    """A version of a plan with what has become of it; nodes in the order of the plan."""

    campaign_id: str
    number: int
    plan: Row
    time_zone: str
    quiet: str
    nodes: list[NodeView]

    @property
    def edges(self) -> list[Edge]:
        """All edges."""
        return [edge for node in self.nodes for edge in node.edges]


def of_campaign(tenant_id: str, campaign_id: str, number: int | None = None) -> PlanView | None:
    """Return a version of a campaign's plan, the newest one without a number.

    None if nothing is published yet.  Raises Gone for a number that there is not.
    """
    query: Row = {"campaign_id": campaign_id, "tenant_id": tenant_id}
    if number is not None:
        query["number"] = number
    row = collection(PlanVersion).find_one(query, sort=[("number", -1)])
    if row is None and number is not None:
        raise Gone("there is no such version of the plan")
    return _view(tenant_id, row) if row else None


def of_plan(plan: Mapping[str, Any]) -> list[NodeView]:
    """Return the nodes of a plan that nobody is in yet, such as one that was only checked."""
    return _nodes(plan, {}, {})


def _view(tenant_id: str, version: Row) -> PlanView:
    campaign_id, plan = version["campaign_id"], version["plan"]
    here = remembered.lately(("nodes", campaign_id), lambda: _whereabouts(campaign_id))
    quiet = plan.get("quietHours") or {}
    return PlanView(
        campaign_id=campaign_id,
        number=version["number"],
        plan=plan,
        time_zone=plan.get("timezone") or "",
        quiet=f"{quiet['start']} to {quiet['end']}" if quiet else "",
        nodes=_nodes(plan, here, stats.of_campaign(tenant_id, campaign_id).nodes),
    )


def _nodes(
    plan: Mapping[str, Any], here: Mapping[str, dict[str, int]], sent: Mapping[str, Stats]
) -> list[NodeView]:
    timers = (plan.get("defaults") or {}).get("timers") or {}
    return [
        NodeView(
            id=node["id"],
            action=node["action"],
            channel=node.get("channel") or "",
            subject=node.get("subject") or "",
            body=node.get("body") or "",
            when=_when(node.get("schedule") or {}) if node["action"] == "send" else "",
            is_start=node["id"] == plan["startNodeId"],
            contacts=here.get(node["id"], {}),
            stats=sent.get(node["id"], Stats()),
            edges=_edges(node, timers),
        )
        for node in plan["nodes"]
    ]


def _edges(node: Row, timers: Row) -> list[Edge]:
    return [
        Edge(node["id"], one["to"], one["on"], rule_in_words(one, timers), position)
        for position, one in enumerate(node.get("transitions") or ())
    ]


def _when(schedule: Row) -> str:
    if schedule.get("at"):
        return f"at {schedule['at']}"
    delay = length_in_words(schedule.get("delay"))
    return f"after {delay}" if delay and delay != "0 s" else "at once"


def _whereabouts(campaign_id: str) -> dict[str, dict[str, int]]:
    """Return how many of each status are at each node; who is over has stayed where it ended."""
    by = {"node": "$node_id", "status": "$status"}
    stages: list[Row] = [
        {"$match": {"campaign_id": campaign_id, "node_id": {"$gt": ""}}},
        {"$group": {"_id": by, "count": {"$sum": 1}}},
    ]
    found: dict[str, dict[str, int]] = {}
    for row in collection(Enrollment).aggregate(stages):
        found.setdefault(row["_id"]["node"], {})[row["_id"]["status"]] = row["count"]
    return found
