"""Contacts of a batch of rows, made or changed in bulk.

A contact that is there is known by its external id, else by its address, else by its telephone
number; only what a row says replaces what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from models import Contact
from pipeline.outreach.contact_fields import KEYS, MOST_FIELDS, NAMES
from pipeline.outreach.row_values import Entry
from pipeline.stores import Row, collection

#: How often rows are looked at anew that others were in the way of.
_TRIES = 3
_DUPLICATE_KEY = 11000
_FIELDS = dict.fromkeys((*NAMES, "fields", "import_id"), 1)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was not taken."""

    row: int
    field: str
    problem: str


@dataclass(slots=True)
class Outcome:
    """What became of rows; `contacts` has the contact of each that was taken, by row."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    contacts: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Write:
    entry: Entry
    contact_id: str
    is_new: bool
    changes: Row
    request: InsertOne[Row] | UpdateOne


def upsert(tenant_id: str, import_id: str, entries: Sequence[Entry]) -> Outcome:
    """Make or change the contacts of rows; no two of them have an address in common."""
    done, left = Outcome(), list(entries)
    for _ in range(_TRIES):
        writes = _planned(tenant_id, import_id, left, done)
        left = _written(writes, done)
        if not left:
            return done
    done.problems += [
        Problem(one.row, "email", "another contact has its email, phone or external_id")
        for one in left
    ]
    return done


def _planned(
    tenant_id: str, import_id: str, entries: Sequence[Entry], done: Outcome
) -> list[_Write]:
    known = _known(tenant_id, entries)
    taken: dict[str, int] = {}
    writes = []
    for entry in entries:
        found = [known[key] for key in entry.keys if key in known]
        contact = found[0] if found else None
        problem = _objection(entry, contact, found, taken)
        if problem:
            done.problems.append(problem)
            continue
        if contact is not None:
            taken[contact["_id"]] = entry.row
        writes.append(_write(tenant_id, import_id, entry, contact))
    return writes


def _known(tenant_id: str, entries: Sequence[Entry]) -> dict[tuple[str, str], Row]:
    """Return the contacts that are there, by each thing that rows know them by."""
    found: dict[tuple[str, str], Row] = {}
    for name in KEYS:
        values = [entry.values[name] for entry in entries if name in entry.values]
        if values:
            query = {"tenant_id": tenant_id, name: {"$in": values}}
            for row in collection(Contact).find(query, _FIELDS):
                found[name, row[name]] = row
    return found


def _objection(
    entry: Entry, contact: Row | None, found: Sequence[Row], taken: dict[str, int]
) -> Problem | None:
    """Return why a row cannot be taken, or None."""
    if contact is None:
        if "email" in entry.values or "phone" in entry.values:
            return None
        why = "no contact has this external_id yet, and a new one needs an email or a phone"
        return Problem(entry.row, "external_id", why)
    if len({row["_id"] for row in found}) > 1:
        return Problem(entry.row, *_other_contact(entry, found))
    if contact["_id"] in taken:
        return Problem(entry.row, "row", f"this contact is in row {taken[contact['_id']]} already")
    if len({**(contact.get("fields") or {}), **entry.fields}) > MOST_FIELDS:
        why = f"with those that it has, the contact would have more than {MOST_FIELDS} fields"
        return Problem(entry.row, "fields", why)
    return None


def _other_contact(entry: Entry, found: Sequence[Row]) -> tuple[str, str]:
    """Return the field by which a row names another contact than by its first one."""
    first, other = found[0], next(row for row in found if row["_id"] != found[0]["_id"])
    by = next(name for name, value in entry.keys if first.get(name) == value)
    name = next(name for name, value in entry.keys if other.get(name) == value)
    return name, f"another contact has this {name} than has the {by} of this row"


def _write(tenant_id: str, import_id: str, entry: Entry, contact: Row | None) -> _Write:
    now = datetime.now(UTC)
    if contact is None:
        row = {"_id": uuid4().hex, "tenant_id": tenant_id, **entry.values}
        row |= {"fields": entry.fields, "import_id": import_id}
        row |= {"created_at": now, "updated_at": now}
        return _Write(entry, row["_id"], True, row, InsertOne(row))
    fields = contact.get("fields") or {}
    changes = {n: v for n, v in entry.values.items() if contact.get(n) != v}
    changes |= {f"fields.{n}": v for n, v in entry.fields.items() if fields.get(n) != v}
    # Also one that is as it was belongs to those that the file names.
    fresh = {"import_id": import_id} | (changes | {"updated_at": now} if changes else {})
    own = {"_id": contact["_id"], "tenant_id": tenant_id, "forgotten_at": None}
    return _Write(entry, contact["_id"], False, changes, UpdateOne(own, {"$set": fresh}))


def _written(writes: Sequence[_Write], done: Outcome) -> list[Entry]:
    """Write, and return the rows that others were in the way of.

    Raises BulkWriteError for anything else.
    """
    failed: set[int] = set()
    if writes:
        requests = [one.request for one in writes]
        try:
            collection(Contact).bulk_write(requests, ordered=False)
        except BulkWriteError as error:
            failed = _doubles(error)
    for position, one in enumerate(writes):
        if position not in failed:
            done.contacts[one.entry.row] = one.contact_id
            done.created += one.is_new
            done.updated += not one.is_new and bool(one.changes)
            done.unchanged += not one.is_new and not one.changes
    return [writes[position].entry for position in sorted(failed)]


def _doubles(error: BulkWriteError) -> set[int]:
    details = error.details or {}
    refused = details.get("writeErrors") or []
    if details.get("writeConcernErrors") or any(e["code"] != _DUPLICATE_KEY for e in refused):
        raise error
    return {one["index"] for one in refused}
