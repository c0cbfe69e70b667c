"""People that a tenant writes to: kept, changed, and forgotten.

What somebody asks for is checked in `contact_fields`.  Refusals are Refused, which names the
field; a contact that is not the tenant's is Gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models import Contact
from pipeline.audit import noted
from pipeline.errors import Changed, Gone, Permanent
from pipeline.outreach import contact_fields, forgetting
from pipeline.outreach.contact_fields import KEYS, NAMES
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

#: Changes of one contact that are tried before somebody else's get in.
_TRIES = 5
_NOT_REACHED = "give an e-mail address or a telephone number: without one nothing can be sent"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed when a contact was forgotten; `before`: it had been forgotten already."""

    before: bool
    messages: int = 0
    enrollments: int = 0


def create(tenant_id: str, values: Mapping[str, Any], *, by: str) -> str:
    """Keep a contact and return its id.  Raises Refused, also if another has the same address."""
    found = contact_fields.normalized(values)
    row = {name: found[name] for name in NAMES if found.get(name)}
    row["fields"] = _kept(found.get("fields") or {})
    _require_reachable(row)
    now = datetime.now(UTC)
    row |= {"_id": uuid4().hex, "tenant_id": tenant_id, "created_at": now, "updated_at": now}
    with noted(by, "contact.create", f"contact {row['_id']}", tenant=tenant_id):
        try:
            collection(Contact).insert_one(row)
        except DuplicateKeyError as error:
            refuse_double(error.details or {})
    return str(row["_id"])


def update(tenant_id: str, contact_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change what is named, None or "" removes it; return the contact.  Raises Refused, Gone.

    Of `fields` only those change that are named.
    """
    wanted = contact_fields.normalized(changes)
    with noted(by, "contact.update", f"contact {contact_id}", tenant=tenant_id) as entry:
        entry.details["changed"] = ", ".join(sorted(changes))
        for _ in range(_TRIES):
            before = get(tenant_id, contact_id)
            if _write(before, _change(before, wanted)):
                return get(tenant_id, contact_id)
    raise Changed("others keep changing this contact")


def get(tenant_id: str, contact_id: str) -> Row:
    """Return a contact.  Raises Gone."""
    row = collection(Contact).find_one({"_id": contact_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("there is no such contact")
    return row


def find(tenant_id: str, text: str) -> Row:
    """Return the contact with this id, address, telephone number or external id.  Raises Gone."""
    any_of = [{"_id": text}, {"email": text.lower()}, {"phone": text}, {"external_id": text}]
    row = collection(Contact).find_one({"tenant_id": tenant_id, "$or": any_of})
    if row is None:
        raise Gone("there is no such contact")
    return row


def forget(tenant_id: str, contact_id: str, *, by: str) -> Forgotten:
    """Remove all that says who a contact was; all that is under way for it stops.

    Safe to repeat.  What is suppressed stays so, by its hash alone.  Requests of providers,
    which name addresses, go by themselves after WEBHOOK_RETENTION_DAYS.  Raises Gone.
    """
    before = bool(get(tenant_id, contact_id).get("forgotten_at"))
    with noted(by, "contact.forget", f"contact {contact_id}", tenant=tenant_id):
        done = forgetting.forget(tenant_id, contact_id)
    return Forgotten(before, done.messages, done.enrollments)


def refuse_double(details: Mapping[str, Any]) -> NoReturn:
    """Raise Refused that names the field by which a contact is there already."""
    pattern = details.get("keyPattern") or {}
    field = next((name for name in KEYS if name in pattern), "")
    raise Refused(field, "another contact has it already") from None


def _change(before: Row, wanted: Row) -> Row:
    """Return what is to be written of a contact, as it was `before`.  Raises Refused, Permanent."""
    if before.get("forgotten_at"):
        raise Permanent("this contact was forgotten; make a new one")
    fields = wanted.get("fields") or {}
    _kept({**(before.get("fields") or {}), **fields})
    plain = {name: value for name, value in wanted.items() if name != "fields"}
    _require_reachable(before | plain)
    flat = plain | {f"fields.{name}": value for name, value in fields.items()}
    change: Row = {"$set": {"updated_at": datetime.now(UTC)}}
    change["$set"] |= {name: value for name, value in flat.items() if value is not None}
    removed = {name: "" for name, value in flat.items() if value is None}
    return change | ({"$unset": removed} if removed else {})


def _write(before: Row, change: Row) -> bool:
    """Write a change; False if the contact is not any more as it was.  Raises Refused."""
    same = {name: before[name] for name in ("_id", "tenant_id", "updated_at")}
    try:
        done = collection(Contact).update_one({**same, "forgotten_at": None}, change)
    except DuplicateKeyError as error:
        refuse_double(error.details or {})
    return bool(done.matched_count)


def _kept(fields: Row) -> Row:
    kept = {name: value for name, value in fields.items() if value is not None}
    contact_fields.require_few(len(kept))
    return kept


def _require_reachable(row: Mapping[str, Any]) -> None:
    if not row.get("email") and not row.get("phone"):
        raise Refused("email", _NOT_REACHED)
