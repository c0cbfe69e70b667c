"""Contacts: who is written to; adding, changing, forgetting."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from pipeline.errors import Gone
from pipeline.outreach import contacts as service
from pipeline.outreach.contacts import Forgotten
from pipeline.outreach.reading import contacts as reading
from pipeline.outreach.reading.pages import Page
from pipeline.stores import Row
from pipeline.web.api.common import PRINTABLE, Limit, acting, stores
from pipeline.web.api.outreach.common import (
    ACTS,
    ContactId,
    Cursor,
    OfTenant,
    Reads,
    Writes,
    at_leisure,
    location,
    only,
    placed,
    reveals,
    routed,
)
from pipeline.web.api.outreach.contact_views import (
    ContactChanges,
    ContactList,
    ContactView,
    ContactWanted,
    ForgottenView,
    contact_view,
)

router = routed("outreach contacts", "/contacts")


@router.get("")
def list_contacts(
    caller: Reads,
    tenant: OfTenant,
    search: Annotated[
        str,
        Query(
            description="How an address or a number (with its +) begins, or a whole external id; "
            "the whole of any of them for a token without the scope `outreach:reveal`.",
            max_length=320,
            pattern=PRINTABLE,
        ),
    ] = "",
    import_id: Annotated[str, only("import")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ContactList:
    """List contacts, the newest first."""
    if search and not reveals(caller):
        page = _whole(tenant, search, import_id)
    else:
        with placed():
            page = reading.listed(
                tenant, limit, after=cursor or "", search=search, import_id=import_id
            )
    shown = [contact_view(row, reveal=reveals(caller)) for row in page.rows]
    return ContactList(contacts=shown, next=page.next or None)


@router.post("", status_code=201, responses=ACTS)
def create_contact(
    request: Request, caller: Writes, tenant: OfTenant, response: Response, wanted: ContactWanted
) -> ContactView:
    """Add a contact; one with the same address, number or external id may not be there yet."""
    with acting(request, caller, "contact.create", f"tenant {tenant}") as row:
        contact_id = service.create(tenant, wanted.values_given(), by=caller.actor)
        row.details["contact"] = contact_id
    response.headers["Location"] = location(request, tenant, "contacts", contact_id)
    return contact_view(service.get(tenant, contact_id), reveal=reveals(caller))


@router.get("/{contact:id}")
def get_contact(caller: Reads, tenant: OfTenant, contact: ContactId) -> ContactView:
    """Tell of one contact."""
    return contact_view(service.get(tenant, contact), reveal=reveals(caller))


@router.patch("/{contact:id}", responses=ACTS)
def change_contact(
    request: Request, caller: Writes, tenant: OfTenant, contact: ContactId, wanted: ContactChanges
) -> ContactView:
    """Change a contact; what waits to be sent goes to its new address."""
    with acting(request, caller, "contact.update", f"contact {contact}"):
        row = service.update(tenant, contact, wanted.values_given(), by=caller.actor)
    return contact_view(row, reveal=reveals(caller))


@router.post("/{contact:id}/forget", responses=ACTS, dependencies=[stores("redis")])
def forget_contact(
    request: Request, caller: Writes, tenant: OfTenant, contact: ContactId
) -> ForgottenView:
    """Remove all that says who a contact was; what is under way stops, suppressions stay."""

    def act() -> Forgotten:
        with acting(request, caller, "contact.forget", f"contact {contact}"):
            return service.forget(tenant, contact, by=caller.actor)

    done = at_leisure(request, act)
    return ForgottenView(before=done.before, messages=done.messages, enrollments=done.enrollments)


def _whole(tenant_id: str, text: str, import_id: str) -> Page[Row]:
    """Return whom a whole address names: by its beginnings one could be found out."""
    try:
        row = service.find(tenant_id, text.strip())
    except Gone:
        return Page()
    return Page() if import_id and row.get("import_id") != import_id else Page([row])
