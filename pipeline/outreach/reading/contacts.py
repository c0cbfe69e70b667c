"""Contacts of a tenant, and the files that they came in."""

from __future__ import annotations

from datetime import UTC, datetime

from models import Contact, ContactImport, Enrollment
from pipeline.errors import Gone
from pipeline.outreach import importing
from pipeline.outreach.reading.pages import Page, by_time
from pipeline.stores import Row, collection

#: The end of every text that begins with another: no character comes after it.
_LAST = "\U0010ffff"


def listed(
    tenant_id: str,
    limit: int = 50,
    *,
    after: str = "",
    search: str = "",
    import_id: str = "",
    by_beginnings: bool = True,
) -> Page[Row]:
    """Return contacts, the newest first.  Raises ValueError for a place that is none.

    `search` is how an e-mail address or a telephone number begins, or a whole external id; not
    `by_beginnings`, the whole of any of them: for who may not know addresses, and could find one
    out letter by letter.
    """
    query: Row = {"tenant_id": tenant_id}
    if import_id:
        query["import_id"] = import_id
    if search:
        query |= _searched(search.strip(), _LAST if by_beginnings else "")
    return Page(*by_time(Contact, query, "created_at", limit, after))


def _searched(text: str, most: str) -> Row:
    """Return what finds `text`, and what begins with it up to `most` behind it."""
    if text.startswith("+"):
        number = "+" + "".join(one for one in text if one.isdecimal())
        return {"phone": {"$gte": number, "$lte": number + most}}
    low = text.lower()
    return {"$or": [{"email": {"$gte": low, "$lte": low + most}}, {"external_id": text}]}


def enrollments_of(tenant_id: str, contact_id: str) -> list[Row]:
    """Return where a contact is in each campaign, the newest first."""
    query = {"tenant_id": tenant_id, "contact_id": contact_id}
    return list(collection(Enrollment).find(query).sort("created_at", -1).limit(200))


def imports(tenant_id: str, limit: int = 50, *, after: str = "") -> Page[Row]:
    """Return files that were read, the newest first, without what was wrong in them."""
    query = {"tenant_id": tenant_id}
    rows, following = by_time(
        ContactImport, query, "created_at", limit, after, without=("problems",)
    )
    now = datetime.now(UTC)
    return Page([importing.as_it_stands(row, now) for row in rows], following)


def one_import(tenant_id: str, import_id: str) -> Row:
    """Return the report of one file, with its problems.  Raises Gone."""
    row = collection(ContactImport).find_one({"_id": import_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("there is no such import")
    return importing.as_it_stands(row, datetime.now(UTC))
