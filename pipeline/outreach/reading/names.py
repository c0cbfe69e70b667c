"""How contacts and addresses are named, masked unless they may be known."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from models import Contact
from pipeline.masking import masked_address, masked_name, masked_phone
from pipeline.stores import Row, collection

FORGOTTEN = "(forgotten)"
_FIELDS = ("tenant_id", "email", "phone", "first_name", "last_name", "forgotten_at")


def address(text: str | None, *, reveal: bool = False) -> str:
    """Return an e-mail address or a telephone number, masked unless `reveal`; empty for none."""
    if reveal or not text:
        return text or ""
    return masked_address(text) if "@" in text else masked_phone(text)


def full_name(contact: Row, *, reveal: bool = False) -> str:
    """Return the name of a contact, empty if it has none."""
    parts = (contact.get("first_name"), contact.get("last_name"))
    name = " ".join(part for part in parts if part)
    return name if reveal else masked_name(name)


def label(contact: Row | None, *, reveal: bool = False) -> str:
    """Return what a list calls a contact: its address, or that it was forgotten."""
    if contact is None or contact.get("forgotten_at"):
        return FORGOTTEN
    return address(contact.get("email") or contact.get("phone"), reveal=reveal)


def contacts_of(tenant_id: str, contact_ids: Iterable[str]) -> dict[str, Row]:
    """Return what names these contacts, by id."""
    ids: Collection[str] = list(set(contact_ids))
    query = {"_id": {"$in": ids}, "tenant_id": tenant_id}
    found = collection(Contact).find(query, dict.fromkeys(_FIELDS, 1))
    return {row["_id"]: row for row in found}
