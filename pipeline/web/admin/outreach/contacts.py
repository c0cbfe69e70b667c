"""The Contacts page, and one contact: who is written to; adding, changing, forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.outreach import contacts as service
from pipeline.outreach.contact_fields import NAMES
from pipeline.outreach.reading import campaigns, contacts, names
from pipeline.outreach.reading.pages import Page
from pipeline.stores import Row
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    framed,
    on_tenant,
    paged,
    revealing,
    said,
    scope,
    url_of,
)
from pipeline.web.admin.outreach.forms import pairs
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.templating import render

_KEPT = ("q", "import")
_LIST = f"{TENANT}/contacts"
ONE = f"{_LIST}/{{contact_id:id}}"


def _listed(visit: Visit) -> Page[Row]:
    return contacts.listed(
        visit.path["tenant_id"],
        PER_PAGE,
        after=said(visit, "after"),
        search=said(visit, "q"),
        import_id=said(visit, "import"),
        by_beginnings=visit.principal.may("operator"),  # who may reveal addresses, too
    )


def _read(visit: Visit) -> Mapping[str, Any]:
    def read() -> dict[str, Any]:
        found = _listed(visit)
        return paged(visit, _KEPT, found) | {"shown": [_shown(row) for row in found.rows]}

    return framed(visit, "/contacts", read) | {
        "search": said(visit, "q"),
        "import_id": said(visit, "import"),
        "scope": scope(visit, _KEPT),
    }


def _shown(row: Row, *, reveal: bool = False) -> dict[str, Any]:
    return {
        "id": str(row["_id"]),
        "row": row,
        "label": names.label(row, reveal=reveal),
        "email": names.address(row.get("email"), reveal=reveal),
        "phone": names.address(row.get("phone"), reveal=reveal),
        "name": names.full_name(row, reveal=reveal),
    }


def _line(row: Row) -> str:
    shown = _shown(row, reveal=True)
    parts = (shown["id"], shown["email"], shown["phone"], shown["name"])
    return "  ".join(filter(None, parts))


_reveal = revealing(_KEPT, _listed, _line, "Contacts")


def _read_one(visit: Visit) -> Mapping[str, Any]:
    tenant_id, contact_id = visit.path["tenant_id"], visit.path["contact_id"]

    def read() -> dict[str, Any]:
        row = service.get(tenant_id, contact_id)
        enrollments = contacts.enrollments_of(tenant_id, contact_id)
        called = campaigns.names(tenant_id, [one["campaign_id"] for one in enrollments])
        return {
            "one": _shown(row),
            "contact": row,
            "enrollments": [
                {"row": one, "campaign": called.get(one["campaign_id"], "")} for one in enrollments
            ],
        }

    return framed(visit, "/contacts", read, below="one") | {"own_url": _url(tenant_id, contact_id)}


def _url(tenant_id: str, contact_id: str) -> str:
    return f"{url_of(tenant_id)}/contacts/{segment(contact_id)}"


def _read_new(visit: Visit) -> Mapping[str, Any]:
    return framed(visit, "/contacts", lambda: {"fields": _fields({})}, below="new")


def _fields(row: Row) -> list[dict[str, Any]]:
    """Return the fields of the form of a contact, with what `row` says in them."""
    kinds = {"email": "email", "phone": "tel"}
    hints = {
        "phone": "With its country, as +4930123456.",
        "time_zone": "An IANA name, as Europe/Berlin. Empty: that of the plan.",
        "external_id": "What another system calls it.",
    }
    return [
        {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "kind": kinds.get(name, "text"),
            "value": row.get(name) or "",
            "hint": hints.get(name, ""),
        }
        for name in _in_order(NAMES)
    ] + [
        {
            "name": "fields",
            "label": "Further fields",
            "kind": "textarea",
            "value": "\n".join(f"{n} = {v}" for n, v in (row.get("fields") or {}).items()),
            "hint": "For templates: contact.fields.name. A name and a value in each line, "
            "as: plan = gold",
        }
    ]


def _in_order(known: Sequence[str]) -> list[str]:
    return sorted(known, key=lambda name: (name == "external_id", known.index(name)))


def _values(visit: Visit) -> Row:
    values: Row = {name: visit.said(name) for name in NAMES}
    return values | {"fields": pairs(visit, "fields")}


def _create(visit: Visit, tenant_id: str) -> Done:
    contact_id = service.create(tenant_id, _values(visit), by=visit.principal.name)
    return Done("The contact is there.", {"contact": contact_id}, _url(tenant_id, contact_id))


def _edit(visit: Visit, tenant_id: str) -> Done:
    """Show the form of a contact, with all that is kept of it, to who asks."""
    contact_id = visit.path["contact_id"]
    html = render(
        "admin/outreach/_contact_form.html",
        fields=_fields(service.get(tenant_id, contact_id)),
        post_url=_url(tenant_id, contact_id),
        submit="Save",
    )
    return Done("Shown.", html=html)


def _update(visit: Visit, tenant_id: str) -> Done:
    contact_id, by = visit.path["contact_id"], visit.principal.name
    values = _values(visit)
    before = service.get(tenant_id, contact_id).get("fields") or {}
    values["fields"] = dict.fromkeys(before) | values["fields"]
    service.update(tenant_id, contact_id, values, by=by)
    return Done("It is set.", location=_url(tenant_id, contact_id))


def _forget(visit: Visit, tenant_id: str) -> Done:
    done = service.forget(tenant_id, visit.path["contact_id"], by=visit.principal.name)
    told = "All that says who it was is gone; what was suppressed stays so."
    return Done(told, {"messages": done.messages, "enrollments": done.enrollments})


routes = [
    page(_LIST, "outreach/contacts", _read, title="Contacts", nav="outreach", seconds=5),
    page(
        f"{_LIST}/new",
        "outreach/contact_new",
        _read_new,
        title="New contact",
        role="operator",
        nav="outreach",
        seconds=3600,
    ),
    action(_LIST, on_tenant(_create), name="contact.create"),
    action(f"{_LIST}/reveal", _reveal, name="outreach.reveal_contacts"),
]
#: Those whose addresses must be tried after those of what else is below the list.
one_routes = [
    page(ONE, "outreach/contact", _read_one, title="Contact", nav="outreach", seconds=5),
    action(ONE, on_tenant(_update), name="contact.update"),
    action(f"{ONE}/edit", on_tenant(_edit), name="contact.edit"),
    action(f"{ONE}/forget", on_tenant(_forget), name="contact.forget"),
]
