"""What of a record can be found: a title, a text, and who has to do with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from hashlib import blake2b
from html import unescape
from typing import Any, NamedTuple

from models.record import record_id
from pipeline.projections.graph import calendar, contacts, gmail, microsoft, tasks
from pipeline.projections.graph.fields import mappings, text
from pipeline.projections.graph.model import Drawing, Shape, Value
from pipeline.projections.search.words import line_of
from pipeline.sources import SOURCES
from pipeline.stores import Row

Item = dict[str, Any]

TITLE_CHARACTERS = 500
BODY_CHARACTERS = 20_000
MOST_PEOPLE = 200
#: Whose edges lead to people.
_WITH_PEOPLE = frozenset(("ATTENDED_BY", "ORGANIZED_BY", "SENT_BY", "SENT_TO", "HAS_ADDRESS"))
#: Seconds since then, of 68 years, and 4 billion changes fit into the 63 bits of a version.
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_SEQ_BITS = 32
_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,2000}>")


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """One record as it can be found.

    `id` is that of the record, in hexadecimal; `kind` is `event`, `mail`, `contact` or `task`;
    `thread` is the provider's id of a mail's thread; `at` is when the item was, or is to be.
    """

    id: str
    tenant_id: str
    user_id: str
    source: str
    kind: str
    stream: str
    item_id: str
    thread: str
    title: str
    body: str
    people: tuple[str, ...]
    at: datetime | None

    @property
    def content_hash(self) -> str:
        """A hash of all of it, which tells whether two are the same."""
        whole = [getattr(self, field.name) for field in fields(self)]
        return blake2b(repr(whole).encode("utf-8", "replace"), digest_size=16).hexdigest()

    def as_row(self) -> Row:
        """Return all but the id as stores keep it, with its folded words to be indexed: those of
        the title, and all."""
        row = {field.name: getattr(self, field.name) for field in fields(self)}
        del row["id"]
        return row | {
            "people": list(self.people),
            "hash": self.content_hash,
            "title_line": line_of(self.title),
            "line": line_of(self.title, *self.people, self.body),
        }


class Owner(NamedTuple):
    """Whose records are: the tenant, and when we first knew the user."""

    tenant_id: str
    created_at: datetime

    def version(self, seq: int) -> int:
        """Return the version of what landed as `seq`.

        A user who was forgotten and comes back counts from 1 again, while a store may still
        remember what it deleted: so the time leads.
        """
        seconds = max(0, int((self.created_at - _FIRST).total_seconds()))
        return seconds << _SEQ_BITS | seq


class Change(NamedTuple):
    """What a store is to hold of a record: a document, or none; what has a higher `version`
    is newer."""

    id: str
    user_id: str
    version: int
    document: SearchDocument | None


class _Found(NamedTuple):
    """What a record says, before it is cut to size."""

    title: Any
    body: tuple[Any, ...]
    at: Any
    thread: str = ""
    people: tuple[Any, ...] = ()


def _of_event(drawing: Drawing, item: Item) -> _Found:
    has = drawing.properties
    return _Found(
        has.get("summary"),
        (has.get("location"), item.get("description")),
        has.get("start_at") or has.get("start_date"),
    )


def _of_mail(drawing: Drawing, _item: Item) -> _Found:
    has = drawing.properties
    thread = next((edge.target for edge in drawing.edges if edge.type == "IN_THREAD"), "")
    at = has.get("received_at") or has.get("sent_at")
    return _Found(has.get("subject"), (has.get("snippet"),), at, thread)


def _of_contact(drawing: Drawing, item: Item) -> _Found:
    has = drawing.properties
    names = (has.get("name"), has.get("nickname"))
    employers = [edge.target for edge in drawing.edges if edge.type == "WORKS_AT"]
    phones = has.get("phones")
    listed = phones if isinstance(phones, list) else []
    notes = [note.get("value") for note in mappings(item.get("biographies"))]
    return _Found(
        next(filter(None, names), None),
        (has.get("nickname"), *employers, *listed, *notes),
        has.get("updated_at"),
        people=(has.get("name"),),
    )


def _of_task(drawing: Drawing, item: Item) -> _Found:
    has = drawing.properties
    return _Found(has.get("title"), (item.get("notes"),), has.get("due_date"))


class _Mapper(NamedTuple):
    """How records of a source become documents of a kind: from what the graph shows of them."""

    kind: str
    shape: Shape
    fields: tuple[str, ...]
    read: Callable[[Drawing, Item], _Found]


_MAPPERS: dict[str, _Mapper] = {
    "google_calendar": _Mapper("event", calendar.SHAPES[1], calendar.FIELDS, _of_event),
    "google_gmail": _Mapper("mail", gmail.SHAPES[0], gmail.FIELDS, _of_mail),
    "google_contacts": _Mapper("contact", contacts.SHAPES[0], contacts.FIELDS, _of_contact),
    "google_tasks": _Mapper("task", tasks.SHAPES[1], tasks.FIELDS, _of_task),
    "microsoft_mail": _Mapper("mail", microsoft.SHAPES[0], microsoft.FIELDS, _of_mail),
}
KINDS = tuple(sorted({mapper.kind for mapper in _MAPPERS.values()}))


def fields_of(source: str) -> dict[str, int]:
    """Return the MongoDB projection of what of a record can be found; {}: nothing."""
    if source not in _MAPPERS:
        return {}
    record = ("seq", "user_id", "source", "stream", "item_id", "deleted_at", "item.id")
    return dict.fromkeys([*record, *(f"item.{f}" for f in _MAPPERS[source].fields)], 1)


def change_of(record: Row, owner: Owner) -> Change | None:
    """Return what a landed record means for the stores; None for what cannot be found at all,
    such as a calendar."""
    mapper = _MAPPERS.get(record["source"])
    if mapper is None or mapper.shape.node_of(record["stream"], record["item_id"]) is None:
        return None
    item = None if record.get("deleted_at") else record.get("item")
    document = None
    if isinstance(item, dict):
        where = (record["user_id"], record["source"], record["stream"], record["item_id"])
        document = document_of(owner.tenant_id, *where, item)
    version = owner.version(int(record["seq"]))
    return Change(record["_id"].hex(), record["user_id"], version, document)


def document_of(
    tenant_id: str, user_id: str, source: str, stream: str, item_id: str, item: Item
) -> SearchDocument | None:
    """Return an item as it can be found; None for what cannot."""
    mapper = _MAPPERS.get(source)
    node = mapper.shape.node_of(stream, item_id) if mapper is not None else None
    if mapper is None or node is None or not item_id:
        return None
    drawing = mapper.shape.draw(node, mapper.shape.parent_of(stream), item)
    found = mapper.read(drawing, item)
    return SearchDocument(
        id=record_id(user_id, source, SOURCES[source].identity(stream), item_id).hex(),
        tenant_id=tenant_id,
        user_id=user_id,
        source=source,
        kind=mapper.kind,
        stream=stream,
        item_id=item_id,
        thread=found.thread,
        title=plain(found.title, TITLE_CHARACTERS),
        body=_body(found.body),
        people=_people(found.people, drawing),
        at=_moment(found.at),
    )


def plain(value: Any, limit: int) -> str:
    """Return a text without its HTML tags, if it has any, cut to `limit` characters."""
    found = text(value, 2 * limit) or ""
    if "<" in found:
        found = unescape(_TAG.sub(" ", found))
    return found[:limit].strip()


def _body(parts: Iterable[Any]) -> str:
    return "\n".join(filter(None, (plain(part, BODY_CHARACTERS) for part in parts)))[
        :BODY_CHARACTERS
    ]


def _people(first: Iterable[Any], drawing: Drawing) -> tuple[str, ...]:
    """Return names and addresses, each once, in the order of the item."""
    found = [*first]
    for edge in drawing.edges:
        if edge.type in _WITH_PEOPLE:
            found += [edge.properties.get("name"), edge.target]
    return tuple(dict.fromkeys(filter(None, map(str, filter(None, found)))))[:MOST_PEOPLE]


def _moment(value: Value | None) -> datetime | None:
    """Return a time as MongoDB keeps it; a day begins at midnight of UTC."""
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return datetime.combine(value, time(), UTC) if isinstance(value, date) else None
