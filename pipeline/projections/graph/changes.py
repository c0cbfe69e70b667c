"""From landed records to changes of the graph, in batches that one transaction can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple, Protocol

from pipeline.projections.graph import calendar, contacts, gmail, microsoft, tasks
from pipeline.projections.graph.model import Drawing, NodeId, Properties, Shape, Value

#: More rows make a transaction longer but hardly faster.
BATCH_ROWS = 500
#: Far below the 16 MiB beyond which a Bolt server stops answering.
BATCH_BYTES = 1_000_000


class _Mapper(Protocol):
    """A module that draws the items of one source."""

    #: The fields of an item that are drawn, as MongoDB paths.
    FIELDS: tuple[str, ...]
    SHAPES: tuple[Shape, ...]


_SOURCES: dict[str, _Mapper] = {
    "google_calendar": calendar,
    "google_gmail": gmail,
    "google_contacts": contacts,
    "google_tasks": tasks,
    "microsoft_mail": microsoft,
}
#: What surrounds a row and a value on the wire: names, lengths, the user's id.
_ROW_BYTES = 80
_VALUE_BYTES = 25


class Change(NamedTuple):
    """One record: what its node becomes, or None if the provider deleted it."""

    node: NodeId
    drawing: Drawing | None


class Batch(NamedTuple):
    """Changes for one transaction, and how far they get: records read, and the last `seq`."""

    changes: list[Change]
    records: int
    seq: int


def fields_of(source: str) -> dict[str, int]:
    """Return the MongoDB projection of what is drawn of a record; {} if the graph has no such."""
    if source not in _SOURCES:
        return {}
    record = ("seq", "source", "stream", "item_id", "deleted_at", "item.id")
    return dict.fromkeys([*record, *(f"item.{field}" for field in _SOURCES[source].FIELDS)], 1)


def change_of(source: str, stream: str, item_id: str, item: Any) -> Change | None:
    """Return what an item means for the graph; no item: it was deleted.

    None for what the graph does not show.
    """
    if not item_id:  # a null key would make a node without one
        return None
    for shape in _SOURCES[source].SHAPES if source in _SOURCES else ():
        node = shape.node_of(stream, item_id)
        if node is not None and isinstance(item, dict):
            return Change(node, shape.draw(node, shape.parent_of(stream), item))
        if node is not None:
            return Change(node, None)
    return None


def batches(records: Iterable[Mapping[str, Any]]) -> Iterator[Batch]:
    """Yield the changes of `records`, which come in the order of `seq`.

    A batch holds at most `BATCH_ROWS` records of together at most `BATCH_BYTES`,
    unless one alone has more.
    """
    changes: list[Change] = []
    count = size = seq = 0
    for record in records:
        item = None if record.get("deleted_at") else record.get("item")
        change = change_of(record["source"], record["stream"], record["item_id"], item)
        more = _size(change)
        if count == BATCH_ROWS or (count and size + more > BATCH_BYTES):
            yield Batch(changes, count, seq)
            changes, count, size = [], 0, 0
        if change is not None:
            changes.append(change)
        count, size, seq = count + 1, size + more, record["seq"]
    if count:
        yield Batch(changes, count, seq)


def _size(change: Change | None) -> int:
    """Return about what a change takes on the wire, in bytes; rather too much than too little."""
    if change is None:
        return 0
    row = _ROW_BYTES + _bytes(change.node.key)
    if change.drawing is None:
        return row
    edges = change.drawing.edges
    size = row + _properties_bytes(change.drawing.properties) + len(edges) * row
    return size + sum(_bytes(edge.target) + _properties_bytes(edge.properties) for edge in edges)


def _properties_bytes(properties: Properties) -> int:
    return sum(_bytes(value) + _VALUE_BYTES for value in properties.values())


def _bytes(value: Value) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else 4 * len(value)
    if isinstance(value, list):
        return sum(_bytes(item) + _VALUE_BYTES for item in value)
    return 0 if isinstance(value, bool | int | float | date) else _VALUE_BYTES
