"""Addresses that a tenant does not write to any more, and why.

Whoever asks and gets an error must not send: no answer is not a yes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from pymongo import ReplaceOne
from pymongo.client_session import ClientSession

from models.outreach import Contact, Suppression
from pipeline.audit import noted
from pipeline.errors import Gone
from pipeline.outreach import enrollments, suppression_rows
from pipeline.outreach.advancing import Wake
from pipeline.outreach.suppression_rows import (
    STRONGEST_FIRST,
    Objection,
    address_hash,
    normalized,
    suppression_id,
)
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

__all__ = [
    "BY_THE_PERSON",
    "NAMELESS",
    "Objection",
    "add",
    "address_hash",
    "among",
    "forget",
    "grounds",
    "lift",
    "normalized",
    "stop_all",
    "suppress",
    "suppression_id",
    "take_back",
    "why_suppressed",
]

#: Takes out of a row what may name somebody.
NAMELESS: Row = {
    "$unset": dict.fromkeys(
        ("address", "note", *(f"grounds.{reason}.note" for reason in STRONGEST_FIRST)), ""
    )
}
#: Said by the person: they stop all that the tenant has under way for them.
BY_THE_PERSON = frozenset({"unsubscribed", "spam_report"})
#: Which field of a contact has the address.
_CONTACT_FIELDS = {"email": "email", "sms": "phone"}


def why_suppressed(
    tenant_id: str, channel: str, address: str, session: ClientSession | None = None
) -> str | None:
    """Return the reason why an address is not written to, or None.

    Raises what the store raises: then it is not known, and nothing may be sent.
    """
    return among(tenant_id, channel, [address], session).get(address)


def among(
    tenant_id: str,
    channel: str,
    addresses: Collection[str],
    session: ClientSession | None = None,
) -> dict[str, str]:
    """Return the reasons of those of `addresses` that are suppressed; raises as the above."""
    ids = {address: suppression_id(tenant_id, channel, address) for address in addresses}
    wanted: Row = {"_id": {"$in": sorted(set(ids.values()))}, "tenant_id": tenant_id}
    now = datetime.now(UTC)
    reasons = {
        row["_id"]: suppression_rows.reason_of(row, now)
        for row in collection(Suppression).find(wanted, session=session)
    }
    found = {address: reasons.get(row_id) for address, row_id in ids.items()}
    return {address: reason for address, reason in found.items() if reason}


def grounds(session: ClientSession, tenant_id: str, channel: str, address: str) -> dict[str, Row]:
    """Return all reasons why an address is suppressed, also those that are over, by name."""
    key = {"_id": suppression_id(tenant_id, channel, address)}
    row = collection(Suppression).find_one(key, {"grounds": 1}, session=session)
    return row["grounds"] if row else {}


def suppress(
    session: ClientSession | None,
    tenant_id: str,
    channel: str,
    address: str,
    *,
    reason: str,
    source: str,
    at: datetime | None = None,
    **about: Any,
) -> Wake:
    """Write to an address no more; if the person said so, stop all that is under way for them.

    `about` are further fields of Objection.  With a `session` it is part of its transaction.
    """
    at = at or datetime.now(UTC)
    objection = Objection(tenant_id, channel, address, reason, source, at, **about)

    def work(session: ClientSession) -> Wake:
        add(session, [objection])
        return stop_all(session, [objection])

    return transaction(work) if session is None else work(session)


def add(session: ClientSession, objections: Iterable[Objection]) -> None:
    """Keep objections; what is under way goes on (see `stop_all`)."""
    by_id: dict[str, list[Objection]] = {}
    for objection in objections:
        if objection.address:  # it is gone once its contact was forgotten
            by_id.setdefault(objection.id, []).append(objection)
    if not by_id:
        return
    found = collection(Suppression).find({"_id": {"$in": sorted(by_id)}}, session=session)
    rows = {row["_id"]: row for row in found}
    writes = [
        ReplaceOne({"_id": row_id}, suppression_rows.added_to(rows.get(row_id), new), upsert=True)
        for row_id, new in by_id.items()
    ]
    collection(Suppression).bulk_write(writes, ordered=False, session=session)


def stop_all(
    session: ClientSession, objections: Iterable[Objection], but: Collection[str] = ()
) -> Wake:
    """Stop all that tenants have under way for persons who objected themselves.

    All `but` the enrollments of these ids.
    """
    wake = Wake()
    for objection in objections:
        if objection.reason in BY_THE_PERSON:
            for contact_id in _contacts(session, objection):
                wake |= enrollments.stop_contact(
                    session,
                    objection.tenant_id,
                    contact_id,
                    objection.reason,
                    objection.reason,
                    objection.at,
                    but,
                )
    return wake


def take_back(
    session: ClientSession, tenant_id: str, channel: str, address: str, at: datetime
) -> str | None:
    """Forget that an address unsubscribed until `at`: the person wants to be written to again.

    Returns the reason that is left, if there is one.
    """
    key = {"_id": suppression_id(tenant_id, channel, address)}
    row = collection(Suppression).find_one(key, session=session)
    ground = row["grounds"].get("unsubscribed") if row else None
    if row is not None and ground is not None and ground["last_seen_at"] <= at:
        row = suppression_rows.without(row, "unsubscribed")
        if row is None:
            collection(Suppression).delete_one(key, session=session)
        else:
            collection(Suppression).replace_one(key, row, session=session)
    return suppression_rows.reason_of(row, datetime.now(UTC)) if row else None


def lift(tenant_id: str, row_id: str, *, by: str) -> None:
    """Write to an address again, whatever the reasons were.  Raises Gone."""
    with noted(by, "suppression.lift", f"suppression {row_id}"):
        deleted = collection(Suppression).delete_one({"_id": row_id, "tenant_id": tenant_id})
        if not deleted.deleted_count:
            raise Gone("this address is not suppressed")


def forget(session: ClientSession | None, tenant_id: str, channel: str, address: str) -> None:
    """Keep that an address is suppressed, but not the address."""
    key = {"_id": suppression_id(tenant_id, channel, address)}
    collection(Suppression).update_one(key, NAMELESS, session=session)


def _contacts(session: ClientSession, objection: Objection) -> list[str]:
    """Return the contacts of the tenant whose address it is, and the one it names."""
    named = [objection.contact_id] if objection.contact_id else []
    if not objection.address:
        return named
    field = _CONTACT_FIELDS[objection.channel]
    address = normalized(objection.channel, objection.address)
    wanted = {"tenant_id": objection.tenant_id, field: address}
    found = collection(Contact).find(wanted, {"_id": 1}, session=session)
    return sorted({*named, *(str(row["_id"]) for row in found)})
