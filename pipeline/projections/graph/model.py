"""The graph's model: one node per record, edges between records, and shared nodes.

    (Event)-[:ATTENDED_BY {response, optional, organizer, name}]->(EmailAddress)
    (Event)-[:ORGANIZED_BY]->(EmailAddress)
    (Event)-[:IN_CALENDAR]->(Calendar)          (Event)-[:INSTANCE_OF]->(Event)
    (Mail)-[:SENT_BY {name}]->(EmailAddress)    (Mail)-[:SENT_TO {kind, name}]->(EmailAddress)
    (Mail)-[:IN_THREAD]->(Thread)
    (Task)-[:IN_LIST]->(TaskList)               (Task)-[:SUBTASK_OF]->(Task)
    (Contact)-[:HAS_ADDRESS {kind, primary}]->(EmailAddress)
    (Contact)-[:WORKS_AT {name, title, department}]->(Organization)

Every node has `user_id` and `key`, unique together per label.  Shared nodes
(addresses, organizations, threads) exist while an edge leads to them.  A link
between two records exists while both do, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from pipeline.clients.graph import Index, Schema

Value = str | int | float | bool | date | datetime | list[str]
Properties = dict[str, Value]


class NodeId(NamedTuple):
    """What a node is, for one user."""

    label: str
    key: str


class Edge(NamedTuple):
    """An edge from a record's node to a shared node, which its type names the label of."""

    type: str
    target: str
    properties: Properties


@dataclass(slots=True)
class Drawing:
    """A record as the graph shows it."""

    node: NodeId
    properties: Properties
    edges: list[Edge] = field(default_factory=list)


class Shape(NamedTuple):
    """How the items of a stream are drawn.

    A stream that ends in a slash stands for one per parent, such as
    `events/<calendar>`; item ids are unique only inside it, so the parent's id
    is part of the key, unless `keyed_by_parent` is false: then items keep their
    ids when they move.
    """

    stream: str
    label: str
    draw: Callable[[NodeId, str, dict[str, Any]], Drawing]
    keyed_by_parent: bool = True

    def node_of(self, stream: str, item_id: str) -> NodeId | None:
        """Return the node of an item, or None if `stream` is another one."""
        if self._per_parent:
            parent_id = self.parent_of(stream)
            key = f"{parent_id}/{item_id}" if self.keyed_by_parent else item_id
            return NodeId(self.label, key) if parent_id else None
        return NodeId(self.label, item_id) if stream == self.stream else None

    def parent_of(self, stream: str) -> str:
        """Return the id of the parent that `stream` belongs to, or an empty one."""
        own = self._per_parent and stream.startswith(self.stream)
        return stream[len(self.stream) :] if own else ""

    @property
    def _per_parent(self) -> bool:
        return self.stream.endswith("/")


class Relation(NamedTuple):
    """A type of edge and the labels of its ends.

    With `property`, both ends are records: that property of the source is the
    target's key.
    """

    type: str
    source: str
    target: str
    property: str = ""


JOINS = (
    Relation("ATTENDED_BY", "Event", "EmailAddress"),
    Relation("ORGANIZED_BY", "Event", "EmailAddress"),
    Relation("SENT_BY", "Mail", "EmailAddress"),
    Relation("SENT_TO", "Mail", "EmailAddress"),
    Relation("IN_THREAD", "Mail", "Thread"),
    Relation("HAS_ADDRESS", "Contact", "EmailAddress"),
    Relation("WORKS_AT", "Contact", "Organization"),
)
LINKS = (
    Relation("IN_CALENDAR", "Event", "Calendar", "calendar_key"),
    Relation("INSTANCE_OF", "Event", "Event", "series_key"),
    Relation("IN_LIST", "Task", "TaskList", "list_key"),
    Relation("SUBTASK_OF", "Task", "Task", "parent_key"),
)
RELATIONS = {relation.type: relation for relation in (*JOINS, *LINKS)}

#: Labels of records, with their properties that are datetimes.
MOMENTS: dict[str, tuple[str, ...]] = {
    "Event": ("start_at", "end_at", "original_start_at", "updated_at"),
    "Mail": ("sent_at", "received_at"),
    "Task": ("completed_at", "updated_at"),
    "Contact": ("updated_at",),
    "Calendar": (),
    "TaskList": ("updated_at",),
}
RECORD_LABELS = tuple(MOMENTS)
SHARED_LABELS = ("EmailAddress", "Organization", "Thread")
#: The one node per user that no record draws; it keeps the fence.
USER_LABEL = "User"
#: Labels whose nodes may have very many edges that go when they go.
HUB_LABELS = ("Calendar", "TaskList")

#: The key stands before the user in the links' indexes, because ArcadeDB's planner may
#: take an index for its first property alone, and then reads all that the user has.
SCHEMA = Schema(
    unique=tuple(
        Index(label, ("user_id", "key")) for label in (USER_LABEL, *RECORD_LABELS, *SHARED_LABELS)
    ),
    indexes=tuple(Index(link.source, (link.property, "user_id")) for link in LINKS),
)
