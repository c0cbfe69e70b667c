"""What a user's graph should hold and what it does hold, comparable item by item.

A snapshot keeps keys and hashes, not values: a user with 100,000 items takes
some tens of megabytes.  Hashes are comparable within one process only.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.clients import graph
from pipeline.projections.graph import cypher
from pipeline.projections.graph.changes import change_of
from pipeline.projections.graph.model import RELATIONS, Drawing, NodeId
from pipeline.projections.graph.write import links_of, shared_properties

_KEYS = ("user_id", "key")


class EdgeId(NamedTuple):
    """What an edge is, for one user; `kind` tells several of one type apart."""

    type: str
    source: str
    target: str
    kind: str = ""


class Fingerprint(NamedTuple):
    """The names of the properties there are, and a hash of each value."""

    names: tuple[str, ...]
    hashes: bytes

    def differing(self, other: Fingerprint) -> list[str]:
        """Return the names of the properties that differ."""
        mine, theirs = self._by_name(), other._by_name()
        return sorted(name for name in mine | theirs if mine.get(name) != theirs.get(name))

    def _by_name(self) -> dict[str, int]:
        return dict(zip(self.names, array("q", self.hashes), strict=True))


class Difference(NamedTuple):
    """One node or edge that is missing from the graph, too much, or different."""

    problem: str
    what: NodeId | EdgeId
    properties: tuple[str, ...] = ()

    def __str__(self) -> str:
        label, *keys = self.what
        told = f"{self.problem} {label} {' -> '.join(filter(None, keys))}"
        return f"{told} ({', '.join(self.properties)})" if self.properties else told


@dataclass(slots=True)
class Snapshot:
    """The nodes and edges of one user."""

    nodes: dict[NodeId, Fingerprint] = field(default_factory=dict)
    edges: dict[EdgeId, Fingerprint] = field(default_factory=dict)
    #: Found more than once, or leading out of the user's graph.
    wrong: list[Difference] = field(default_factory=list)

    def differences(self, found: Snapshot) -> list[Difference]:
        """Return how `found` differs from this, which is as it should be."""
        return [
            *found.wrong,
            *_compare(self.nodes, found.nodes),
            *_compare(self.edges, found.edges),
        ]

    def add_node(self, node: NodeId, properties: Mapping[str, Any]) -> None:
        """Add a node, whose properties may include the keys."""
        if node in self.nodes:
            self.wrong.append(Difference("twice", node))
        self.nodes[node] = _fingerprint(properties, self._names)

    def add_edge(self, type_: str, source: str, target: str, properties: Mapping[str, Any]) -> None:
        """Add an edge."""
        kind = properties.get("kind", "") if type_ == "SENT_TO" else ""
        edge = EdgeId(type_, source, target, str(kind))
        if edge in self.edges:
            self.wrong.append(Difference("twice", edge))
        self.edges[edge] = _fingerprint(properties, self._names)

    _names: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict, repr=False)


def expected(user_id: str, items: Iterable[tuple[str, str, str, Any]]) -> Snapshot:  # noqa: ARG001
    """Return the graph of a user who has `items`: (source, stream, item id, item), none deleted."""
    snapshot = Snapshot()
    links: list[tuple[str, str, str]] = []
    for source, stream, item_id, item in items:
        change = change_of(source, stream, item_id, item)
        if change is not None and change.drawing is not None:
            _expect(snapshot, change.drawing)
            key = change.node.key
            links += [(type_, key, target) for type_, target in links_of(change.drawing)]
    for type_, source, target in links:
        if NodeId(RELATIONS[type_].target, target) in snapshot.nodes:
            snapshot.add_edge(type_, source, target, {})
    return snapshot


def _expect(snapshot: Snapshot, drawing: Drawing) -> None:
    snapshot.add_node(drawing.node, drawing.properties)
    for edge in drawing.edges:
        snapshot.add_edge(edge.type, drawing.node.key, edge.target, edge.properties)
        shared = NodeId(RELATIONS[edge.type].target, edge.target)
        if shared not in snapshot.nodes:
            snapshot.add_node(shared, shared_properties(*shared))


def actual(user_id: str) -> Snapshot:
    """Read the graph of a user; raises Transient, Misconfigured or Permanent."""
    snapshot = Snapshot()
    for label, text in cypher.NODES.items():
        for row in graph.stream(text, user_id=user_id):
            snapshot.add_node(NodeId(label, row["key"]), row["properties"])
    for type_, text in cypher.EDGES.items():
        for row in graph.stream(text, user_id=user_id):
            snapshot.add_edge(type_, row["source"], row["target"], row["properties"])
            if row["owner"] != user_id or row["labels"] != [RELATIONS[type_].target]:
                edge = EdgeId(type_, row["source"], row["target"])
                snapshot.wrong.append(Difference("astray", edge))
    return snapshot


def _fingerprint(
    properties: Mapping[str, Any], known: dict[tuple[str, ...], tuple[str, ...]]
) -> Fingerprint:
    names = tuple(sorted(name for name in properties if name not in _KEYS))
    hashes = array("q", (_hash(properties[name]) for name in names))
    return Fingerprint(known.setdefault(names, names), hashes.tobytes())


def _hash(value: Any) -> int:
    """Return a hash that tells 1 from True and from 1.0."""
    return hash((type(value).__name__, tuple(value) if isinstance(value, list) else value))


def _compare(
    wanted: Mapping[Any, Fingerprint], found: Mapping[Any, Fingerprint]
) -> Iterator[Difference]:
    for what in sorted(wanted.keys() | found.keys()):
        if what not in found:
            yield Difference("missing", what)
        elif what not in wanted:
            yield Difference("extra", what)
        elif names := wanted[what].differing(found[what]):
            yield Difference("different", what, tuple(names))
