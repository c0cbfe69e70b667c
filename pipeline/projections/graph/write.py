"""Writing changes: one fenced transaction per batch, the same result however often it runs.

A user's writers exclude each other by the lock on the user's node, so a
transaction may read what is there, compare, and write the difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from pipeline.clients import graph
from pipeline.clients.graph import Row, Run
from pipeline.errors import LeaseLost
from pipeline.projections.graph import cypher
from pipeline.projections.graph.addresses import domain_of
from pipeline.projections.graph.changes import Change
from pipeline.projections.graph.model import (
    LINKS,
    MOMENTS,
    RELATIONS,
    SCHEMA,
    SHARED_LABELS,
    Drawing,
    NodeId,
    Properties,
)

T = TypeVar("T")
#: (type, source key, target key) → properties; mails may have several of one type.
Edges = dict[tuple[str, str, str], list[Row]]


def fenced(user_id: str, fence: int, work: Callable[[Run], T]) -> T:
    """Run `work` in a write transaction of one user's graph; its statements get `$user_id`.

    Raises LeaseLost, and writes nothing, if a writer with a higher fence was here.
    """

    def transaction(run: Run) -> T:
        scoped = partial(run, user_id=user_id)
        if scoped(cypher.FENCE, fence=fence)[0]["fence"] > fence:
            raise LeaseLost("A later writer has been at work on this user's graph")
        return work(scoped)

    graph.ensure_schema(SCHEMA)
    return graph.write(transaction)


def apply(user_id: str, fence: int, changes: Iterable[Change]) -> None:
    """Write `changes`, of which the last one about a node counts.

    Raises LeaseLost, Transient, Misconfigured or Permanent.  Running it again
    after any of them leads to the same graph.
    """
    latest = {change.node: change for change in changes}
    gone = _by_label(node for node, change in latest.items() if change.drawing is None)
    drawings = [change.drawing for change in latest.values() if change.drawing is not None]
    for type_, text in cypher.RELEASE.items():
        if keys := gone.get(RELATIONS[type_].target):
            _until_few(user_id, fence, text, keys=keys)
    unfinished = fenced(user_id, fence, lambda run: _write(run, user_id, drawings, gone))
    for type_, keys in unfinished.items():
        _until_few(user_id, fence, cypher.ADOPT[type_], keys=keys)


def _until_few(
    user_id: str, fence: int, text: str, between: Callable[[], object] | None = None, **keys: Any
) -> None:
    """Run a statement that does `CHUNK_ROWS` at a time until there are fewer to do."""
    while fenced(user_id, fence, lambda run: _rows(run(text, **keys))) == cypher.CHUNK_ROWS:
        if between is not None:
            between()


def _rows(answer: list[Row]) -> int:
    return int(answer[0]["rows"]) if answer else 0


def erase(user_id: str, fence: int, between: Callable[[], object]) -> None:
    """Delete the user's nodes but the one with the fence; calls `between` now and then."""
    for text in cypher.ERASE.values():
        _until_few(user_id, fence, text, between)


def count_nodes(user_id: str) -> int:
    """Return how many nodes the graph has of a user, the one with the fence among them."""
    return sum(graph.read(text, user_id=user_id)[0]["nodes"] for text in cypher.COUNT.values())


def forget_fence(user_id: str) -> None:
    """Delete the node that keeps the fence; the user must have no writers any more."""
    graph.write(lambda run: run(cypher.ERASE_USER, user_id=user_id))


def _write(
    run: Run, user_id: str, drawings: list[Drawing], gone: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Do one transaction; return the keys whose many links are still to be made, by type."""
    drawn = _by_label(drawing.node for drawing in drawings)
    before, wanted = _edges_of(run, drawn), _edges_wanted(drawings)
    stale = [edge for edge, rows in before.items() if _differ(rows, wanted.get(edge))]
    fresh = {edge: rows for edge, rows in wanted.items() if _differ(rows, before.get(edge))}
    left = [*stale, *_edges_of(run, gone)]
    _upsert(run, user_id, drawings)
    _disconnect(run, stale)
    _connect(run, fresh)
    for label, keys in gone.items():
        run(cypher.DELETE[label], keys=keys)
    unfinished = _adopt(run, drawn)
    _drop_lonely(run, left)
    return unfinished


def _by_label(nodes: Iterable[NodeId]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        keys[node.label].append(node.key)
    return keys


def _edges_of(run: Run, keys: dict[str, list[str]]) -> Edges:
    edges: Edges = defaultdict(list)
    for label in cypher.EDGES_OF.keys() & keys.keys():
        for row in run(cypher.EDGES_OF[label], keys=keys[label]):
            edges[row["type"], row["source"], row["target"]].append(row["properties"])
    return edges


def _edges_wanted(drawings: list[Drawing]) -> Edges:
    edges: Edges = defaultdict(list)
    for drawing in drawings:
        for edge in drawing.edges:
            edges[edge.type, drawing.node.key, edge.target].append(edge.properties)
        for type_, target in links_of(drawing):
            edges[type_, drawing.node.key, target].append({})
    return edges


def links_of(drawing: Drawing) -> Iterator[tuple[str, str]]:
    """Yield (type, target key) of the links that a node has where their targets exist."""
    for link in LINKS:
        target = drawing.properties.get(link.property)
        if link.source == drawing.node.label and isinstance(target, str):
            yield link.type, target


def _differ(rows: list[Row], others: list[Row] | None) -> bool:
    if others is None or len(rows) != len(others):
        return True
    if len(rows) == 1:
        return rows != others
    return sorted(rows, key=_kind) != sorted(others, key=_kind)


def _kind(properties: Row) -> str:
    return str(properties.get("kind", ""))


def _upsert(run: Run, user_id: str, drawings: list[Drawing]) -> None:
    rows: dict[str, list[Row]] = defaultdict(list)
    for drawing in drawings:
        rows[drawing.node.label].append(_node_row(user_id, drawing))
    for label, label_rows in rows.items():
        run(cypher.UPSERT[label], rows=label_rows)


def _node_row(user_id: str, drawing: Drawing) -> Row:
    key = drawing.node.key
    properties: Row = {**drawing.properties, "user_id": user_id, "key": key}
    moments = {
        name: _as_text(properties.pop(name))
        for name in MOMENTS[drawing.node.label]
        if name in properties
    }
    return {"key": key, "properties": properties, "moments": moments}


def _as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def shared_properties(label: str, key: str) -> Properties:
    """Return what a shared node has beside its key; it follows from the key alone."""
    return {"domain": domain_of(key)} if label == "EmailAddress" else {}


def _connect(run: Run, edges: Edges) -> None:
    """Create edges, and the shared nodes that they lead to."""
    by_type: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    shared: dict[str, dict[str, Row]] = {label: {} for label in SHARED_LABELS}
    for (type_, source, target), several in edges.items():
        label = RELATIONS[type_].target
        if label in shared:
            properties = shared_properties(label, target)
            shared[label][target] = {"key": target, "properties": properties}
        by_type[type_] += [(source, {"target": target, "properties": p}) for p in several]
    for label, nodes in shared.items():
        for part in _parts(list(nodes.values())):
            run(cypher.ENSURE[label], rows=part)
    for type_, type_edges in by_type.items():
        for pairs in _parts(type_edges):
            run(cypher.CONNECT[type_], rows=_by_source(pairs))


def _by_source(pairs: list[tuple[str, Row]]) -> list[Row]:
    """Group edges, so that each source is sent and looked up once."""
    edges: dict[str, list[Row]] = defaultdict(list)
    for source, edge in pairs:
        edges[source].append(edge)
    return [{"source": source, "edges": its_edges} for source, its_edges in edges.items()]


def _parts(rows: list[T]) -> Iterator[list[T]]:
    """Keep one message small, also where one record has thousands of addresses."""
    for start in range(0, len(rows), cypher.CHUNK_ROWS):
        yield rows[start : start + cypher.CHUNK_ROWS]


def _disconnect(run: Run, edges: Sequence[tuple[str, str, str]]) -> None:
    rows: dict[str, list[Row]] = defaultdict(list)
    for type_, source, target in edges:
        rows[type_].append({"source": source, "target": target})
    for type_, type_rows in rows.items():
        for part in _parts(type_rows):
            run(cypher.DISCONNECT[type_], rows=part)


def _adopt(run: Run, drawn: dict[str, list[str]]) -> dict[str, list[str]]:
    unfinished = {}
    for link in LINKS:
        keys = drawn.get(link.target)
        if keys and _rows(run(cypher.ADOPT[link.type], keys=keys)) == cypher.CHUNK_ROWS:
            unfinished[link.type] = keys
    return unfinished


def _drop_lonely(run: Run, left: Iterable[tuple[str, str, str]]) -> None:
    """Delete the shared nodes among the former targets of `left` that have no edge any more."""
    targets: dict[str, set[str]] = defaultdict(set)
    for type_, _, target in left:
        targets[RELATIONS[type_].target].add(target)
    for label in cypher.DROP_LONELY.keys() & targets.keys():
        run(cypher.DROP_LONELY[label], keys=list(targets[label]))
