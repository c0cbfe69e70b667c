"""The Search page: what a tenant's records say, shown to whoever may see it, and noted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from models import DEFAULT_TENANT, User
from pipeline.dispatch import send
from pipeline.projections import search
from pipeline.projections.search.query import MOST_CHARACTERS
from pipeline.projections.search.store import MOST_COUNTED
from pipeline.refusals import Refused
from pipeline.sources import SOURCES
from pipeline.stores import collection
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.stores import part, search_store
from pipeline.web.templating import render

_URL = "/admin/search"
_PER_PAGE = 20
_MOST_TEXT = 200
#: The fields of a search, which its further pages send again.
_FIELDS = ("q", "tenant", "user", "source", "kind", "since", "until")


def _read(visit: Visit) -> Mapping[str, Any]:
    user_id = visit.query.get("user", "")[:_MOST_TEXT]
    tenants = part("mongodb", _tenants, keep="tenants of users")
    chosen = visit.query.get("tenant", "")[:_MOST_TEXT]
    return {
        "url": _URL,
        "tenants": _options("choose one", {*(tenants.value or ()), chosen} - {""}),
        # Of one tenant there is nothing to choose.
        "tenant": chosen or ((tenants.value or [""])[0] if len(tenants.value or ()) == 1 else ""),
        "user_id": user_id,
        "sources": _options("all", SOURCES),
        "kinds": _options("all", search.KINDS),
        "most": MOST_CHARACTERS,
        "found": part(search_store(), search.status, keep="search"),
    }


def _tenants() -> list[str]:
    return sorted(name or DEFAULT_TENANT for name in collection(User).distinct("tenant_id"))


def _options(first: str, names: Any) -> list[tuple[str, str]]:
    return [("", first), *((name, name.replace("_", " ")) for name in sorted(names))]


def _find(visit: Visit) -> Done:
    """Show a page of what is found to who asks; what for is nobody else's business."""
    asked = {name: visit.said(name) for name in _FIELDS}
    tenant_id, user_id = _whose(asked["tenant"], asked["user"])
    offset = _offset(visit.said("offset"))
    found = search.find(
        tenant_id,
        asked["q"],
        user_id=user_id,
        sources=[asked["source"]] if asked["source"] else (),
        kinds=[asked["kind"]] if asked["kind"] else (),
        since=_midnight("since", asked["since"]),
        until=_midnight("until", asked["until"], days=1),  # that day, too
        limit=_PER_PAGE,
        offset=offset,
    )
    after = search.next_offset(found.total, offset, _PER_PAGE)
    html = render(
        "admin/_found.html",
        found=found,
        url=f"{_URL}/find",
        first=offset + 1,
        last=offset + len(found.hits),
        before=asked | {"offset": max(0, offset - _PER_PAGE)} if offset else None,
        after=None if after is None else asked | {"offset": after},
        uncounted=found.total >= MOST_COUNTED,
        user_urls={hit.user_id: f"/admin/users/{segment(hit.user_id)}" for hit in found.hits},
    )
    return Done("Found.", {"tenant": tenant_id, "user": user_id, "found": found.total}, html=html)


def _whose(tenant_id: str, user_id: str) -> tuple[str, str | None]:
    """Return in whose records to look: a user says the tenant, too.  Raises Refused."""
    if not user_id:
        if not tenant_id:
            raise Refused("tenant", "choose one, or name a user")
        return tenant_id, None
    user = collection(User).find_one({"_id": user_id}, {"tenant_id": 1})
    of_user = (user or {}).get("tenant_id") or DEFAULT_TENANT
    if user is None or tenant_id not in ("", of_user):
        raise Refused("user", f"there is no such user{' of this tenant' if tenant_id else ''}")
    return of_user, user_id


def _offset(text: str) -> int:
    if not (text or "0").isascii() or not (text or "0").isdigit():
        raise Refused("offset", "expected a number")
    return int((text or "0")[:9])


def _midnight(field: str, text: str, days: int = 0) -> datetime | None:
    """Return the beginning of a day, UTC, or of one `days` later.  Raises Refused."""
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text).date() + timedelta(days=days)
    except (ValueError, OverflowError):
        raise Refused(field, "expected a day such as 2026-05-04") from None
    return datetime.combine(day, time(), UTC)


def _rebuild(visit: Visit) -> Done:
    rebuild_id = search.begin_rebuild(by=visit.principal.name)
    send("rebuild_search", rebuild_id)
    told = "A new index is being filled; until it is whole, searches use the one that is there."
    return Done(told, {"rebuild": rebuild_id})


routes = [
    page(_URL, "search", _read, title="Search", seconds=5),
    action(f"{_URL}/find", _find, name="search.find"),
    action(f"{_URL}/rebuild", _rebuild, name="search.rebuild", role="admin"),
]
