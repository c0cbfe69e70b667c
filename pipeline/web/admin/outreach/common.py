"""What the pages of a tenant's outreach share: head, way between them, filters, personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from models import DEFAULT_TENANT, Campaign, Contact, SenderIdentity, Tenant, User
from pipeline.errors import Gone
from pipeline.outreach import tenants
from pipeline.outreach.reading import campaigns
from pipeline.outreach.reading.pages import Page
from pipeline.stores import Row, collection
from pipeline.web.pages import Done, NotFound, Visit
from pipeline.web.paths import segment
from pipeline.web.stores import Store, part
from pipeline.web.templating import render

HOME = "/admin/outreach"
TENANT = f"{HOME}/{{tenant_id:id}}"
PER_PAGE = 50
MOST_TEXT = 320

#: What shows that a tenant is there.
_OF_IT = (User, Campaign, Contact, SenderIdentity)
#: The pages of a tenant: the end of each address, and its name.
_PAGES = (
    ("", "Campaigns"),
    ("/enrollments", "Enrollments"),
    ("/scheduled", "Scheduled"),
    ("/messages", "Messages"),
    ("/senders", "Senders"),
    ("/contacts", "Contacts"),
    ("/suppressions", "Suppressions"),
    ("/deliveries", "Deliveries"),
    ("/settings", "Settings"),
)

Read = Callable[[], Mapping[str, Any]]
Act = Callable[[Visit, str], Done]


def url_of(tenant_id: str) -> str:
    """Return the address of a tenant's pages."""
    return f"{HOME}/{segment(tenant_id)}"


def framed(
    visit: Visit, current: str, read: Read, store: Store = "mongodb", *, below: str = ""
) -> dict[str, Any]:
    """Return what the page `current` of a tenant is rendered with.

    `found` is the part that was read: the tenant, and what `read` made of it.  `below` tells
    pages apart that have `current` in common.
    """
    tenant_id = visit.path["tenant_id"]

    def both() -> tuple[Row, Mapping[str, Any]]:
        require_known(tenant_id)
        return tenants.get(tenant_id), _read_or_not_found(visit, read)

    named = " ".join([current, below, *visit.path.values()])
    url = url_of(tenant_id)
    return {
        "found": part(store, both, keep=f"outreach {named}" if not visit.query else ""),
        "tenant_id": tenant_id,
        "url": url,
        "here": url + current,
        "sub": [
            {"label": label, "href": url + end, "current": end == current} for end, label in _PAGES
        ],
    }


def require_known(tenant_id: str) -> None:
    """Raise NotFound for a tenant that has set nothing, and that nothing and nobody is of."""
    its_own = (collection(model).find_one({"tenant_id": tenant_id}, {"_id": 1}) for model in _OF_IT)
    row = collection(Tenant).find_one({"_id": tenant_id}, {"_id": 1})
    if tenant_id != DEFAULT_TENANT and row is None and not any(its_own):
        raise NotFound("There is no such tenant: no user is of it, and it has set nothing.")


def _read_or_not_found(visit: Visit, read: Read) -> Mapping[str, Any]:
    try:
        return read()
    except Gone as error:
        raise NotFound(_sentence(str(error))) from None
    except ValueError:
        if "after" not in visit.query:  # then it is not the address that is wrong
            raise
        raise NotFound("This address does not name a place in the list.") from None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def on_tenant(act: Act) -> Callable[[Visit], Done]:
    """Have `act` called with the tenant that the address names."""

    def perform(visit: Visit) -> Done:
        tenant_id = visit.path["tenant_id"]
        require_known(tenant_id)
        return act(visit, tenant_id)

    return perform


def said(visit: Visit, name: str, most: int = MOST_TEXT) -> str:
    """Return what the address asks for under `name`, empty for nothing."""
    return visit.query.get(name, "").strip()[:most]


def one_of(visit: Visit, name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """Return which of `known` the address asks for, empty for any.  Raises NotFound."""
    chosen = said(visit, name)
    if chosen and chosen not in known:
        raise NotFound(f"There is no {name} {chosen[:40]!r}; there are {', '.join(known)}.")
    return chosen


def address(visit: Visit, names: tuple[str, ...], **changes: str) -> str:
    """Return this page's address with some of its query changed, from the first page on."""
    kept = {name: visit.query[name] for name in names if name in visit.query}
    query = {name: value for name, value in (kept | changes).items() if value}
    return f"?{urlencode(query)}" if query else "?"


def tabs(
    visit: Visit,
    names: tuple[str, ...],
    name: str,
    labels: Mapping[str, str],
    counts: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Return tabs that choose among `labels`, whose first is the one for no choice."""
    chosen = said(visit, name)
    return [
        {
            "label": label,
            "href": address(visit, names, **{name: value}),
            "current": value == chosen,
            "count": (counts or {}).get(value),
        }
        for value, label in labels.items()
    ]


def paged(visit: Visit, names: tuple[str, ...], found: Page[Any]) -> dict[str, Any]:
    """Return the rows of a page of a list, and where the next and the first are."""
    return {
        "rows": found.rows,
        "next": address(visit, names, after=found.next) if found.next else "",
        "first": address(visit, names) if visit.query.get("after") else "",
    }


def scope(visit: Visit, names: tuple[str, ...]) -> dict[str, str]:
    """Return what an action needs to know to find the same rows again."""
    return {name: visit.query.get(name, "") for name in (*names, "after")}


def as_asked(visit: Visit, names: tuple[str, ...]) -> Visit:
    """Return a visit to the page with the scope that an action was sent."""
    query = {name: value for name in (*names, "after") if (value := visit.said(name))}
    return Visit(visit.principal, visit.path, QueryParams(query), now=visit.now)


def revealing(
    names: tuple[str, ...],
    listed: Callable[[Visit], Page[Any]],
    line: Callable[[Any], str],
    title: str,
) -> Callable[[Visit], Done]:
    """Return an action that shows who the rows of a page are, once, to who asks."""

    def act(visit: Visit, _tenant_id: str) -> Done:
        found = listed(as_asked(visit, names))
        return revealed(visit, title, [line(row) for row in found.rows])

    return on_tenant(act)


def revealed(visit: Visit, title: str, lines: list[str]) -> Done:
    """Return an answer that shows personal data once, to who asks; the audit says who."""
    text = "\n".join(lines) or "There is nothing to show."
    html = render("admin/_revealed.html", title=title, text=text, who=visit.principal.name)
    return Done("Revealed.", {"rows": len(lines)}, html=html)


def campaign_choices(tenant_id: str) -> list[tuple[str, str]]:
    """Return the newest campaigns of a tenant, to choose from: id and name."""
    found = campaigns.listed(tenant_id, limit=200).rows
    return [(row.id, row.campaign["name"]) for row in found]


def sender_choices(tenant_id: str, channel: str = "") -> list[tuple[str, str]]:
    """Return the senders of a tenant, to choose from: id and name."""
    query = {"tenant_id": tenant_id} | ({"channel": channel} if channel else {})
    found = collection(SenderIdentity).find(query, {"name": 1}).sort("name", 1)
    return [(row["_id"], row["name"]) for row in found]
