"""What a request is about, read as it is now, and only if it is the tenant's.

An entity of another tenant is told of as one that does not exist.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import unescape
from typing import Literal, NamedTuple, get_args

from pymongo import ASCENDING

from models import DEFAULT_TENANT, Record, User
from pipeline.projections.search.documents import SearchDocument, document_of
from pipeline.refusals import Refused
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection
from pipeline.sync import erasures

EntityKind = Literal["record", "thread", "text"]
#: The field by which the mails of a source name their thread.
THREAD_FIELDS = {"google_gmail": "item.threadId", "microsoft_mail": "item.conversationId"}
#: Of a thread the newest mails are read.
MOST_MAILS = 200
_MOST_READ = 2000
#: What stands between two parts.
_BETWEEN = "\n\n"
_ID_BYTES = 16


class Entity(NamedTuple):
    """What a request is about, whose it is, and the user if it is one's."""

    tenant_id: str
    user_id: str | None
    kind: EntityKind
    id: str


class Part(NamedTuple):
    """A mail, an event, …: `heading` says what it is and who has to do with it."""

    heading: str
    body: str

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(filter(None, self))

    def cut(self, characters: int) -> Part:
        """Return its beginning, of at most so many characters."""
        heading = self.heading[:characters]
        left = characters - len(heading) - bool(heading)
        return Part(heading, self.body[: max(0, left)])


@dataclass(frozen=True, slots=True)
class Content:
    """What an entity says, oldest part first."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All of it, with headings."""
        return _BETWEEN.join(part.text for part in self.parts)

    @property
    def prose(self) -> str:
        """What people wrote, without the headings."""
        return _BETWEEN.join(part.body for part in self.parts if part.body)

    @property
    def hash(self) -> str:
        """What tells one content from another."""
        return hash_of(self.text)

    def cut(self, characters: int) -> Content:
        """Return the newest parts that are no longer than so many characters, whole ones if
        there is room for any."""
        if len(self.text) <= characters:
            return self
        kept: list[Part] = []
        left = characters
        for part in reversed(self.parts):
            left -= len(part.text) + (len(_BETWEEN) if kept else 0)
            if left < 0:
                break
            kept.append(part)
        return (
            Content(tuple(reversed(kept))) if kept else Content((self.parts[-1].cut(characters),))
        )


def hash_of(text: str) -> str:
    """Return a hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def checked(tenant_id: str, kind: str, entity_id: str, user_id: str | None) -> Entity:
    """Return an entity whose user, if it has one, is known and the tenant's.

    The user of a record is read from it.  Raises Refused that names the field.
    """
    if kind == "text":
        if user_id is not None:
            _check_user(tenant_id, user_id, "user_id", f"there is no user {user_id!r}")
        return Entity(tenant_id, user_id, "text", entity_id)
    if kind == "thread":
        source, _, thread_id = entity_id.partition(":")
        if source not in THREAD_FIELDS or not thread_id:
            known = " or ".join(f"{name}:ID" for name in THREAD_FIELDS)
            raise Refused("entity.id", f"expected {known}")
        if user_id is None:
            raise Refused("user_id", "a thread is a user's: say whose")
        _check_user(tenant_id, user_id, "user_id", f"there is no user {user_id!r}")
        return Entity(tenant_id, user_id, "thread", entity_id)
    if kind != "record":
        raise Refused("entity.kind", f"expected {', '.join(get_args(EntityKind))}")
    owner = _owner(entity_id)
    no_such = "there is no such record"
    if owner is None or user_id not in (None, owner):
        raise Refused("entity.id", no_such)
    _check_user(tenant_id, owner, "entity.id", no_such)
    return Entity(tenant_id, owner, "record", entity_id)


def load(entity: Entity) -> Content:
    """Return what a record or thread says now.

    Raises Refused if it is not there, or not any more, or is no thing that has a text.
    """
    documents = _of_record(entity) if entity.kind == "record" else _of_thread(entity)
    return Content(tuple(map(_part, documents)))


def _check_user(tenant_id: str, user_id: str, field: str, no_such: str) -> None:
    user = collection(User).find_one({"_id": user_id}, {"tenant_id": 1, "is_active": 1})
    if user is None or (user.get("tenant_id") or DEFAULT_TENANT) != tenant_id:
        raise Refused(field, no_such)
    if user.get("is_active") is False:
        raise Refused(field, "its user is not active: nothing is done for them")
    if erasures.under_way(user_id):
        raise Refused(field, "its user is being erased")


def _owner(record_id: str) -> str | None:
    row = collection(Record).find_one({"_id": _id_of(record_id)}, {"user_id": 1})
    return None if row is None else str(row["user_id"])


def _id_of(record_id: str) -> bytes:
    try:
        found = bytes.fromhex(record_id)
    except ValueError:
        found = b""
    if len(found) != _ID_BYTES:
        raise Refused("entity.id", f"expected the {2 * _ID_BYTES} hexadecimal digits of a record")
    return found


def _of_record(entity: Entity) -> list[SearchDocument]:
    wanted = {"_id": _id_of(entity.id), "user_id": entity.user_id, "deleted_at": None}
    row = collection(Record).find_one(wanted)
    document = _document(entity, row) if row is not None else None
    if document is None:
        raise Refused("entity.id", "there is no such record, or it has no text")
    return [document]


def _of_thread(entity: Entity) -> list[SearchDocument]:
    source, _, thread_id = entity.id.partition(":")
    wanted = {
        "user_id": entity.user_id,
        "source": source,
        THREAD_FIELDS[source]: thread_id,
        "deleted_at": None,
    }
    # Left to itself MongoDB may look through all mail of the user.
    index = [("user_id", ASCENDING), (THREAD_FIELDS[source], ASCENDING)]
    rows = collection(Record).find(wanted, hint=index).limit(_MOST_READ)
    found = [document for row in rows if (document := _document(entity, row)) is not None]
    if not found:
        raise Refused("entity.id", "there is no such thread")
    return sorted(found, key=lambda one: (one.at is not None, one.at, one.id))[-MOST_MAILS:]


def _document(entity: Entity, row: Row) -> SearchDocument | None:
    where = (row["user_id"], row["source"], row["stream"], row["item_id"])
    if row["source"] not in SOURCES:
        return None
    return document_of(entity.tenant_id, *where, row.get("item") or {})


def _part(document: SearchDocument) -> Part:
    heading = [document.title, ", ".join(document.people)]
    if document.at is not None:
        heading.append(document.at.isoformat(timespec="minutes"))
    # Gmail gives the beginning of a mail as HTML would have it.
    body = unescape(document.body) if document.source == "google_gmail" else document.body
    return Part("\n".join(filter(None, heading)), body)
