"""The Users page: who there is, how fresh each source is, and who needs somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline.sources import SOURCES
from pipeline.users.listing import TROUBLES, Filter, UserPage, users
from pipeline.web.admin import user
from pipeline.web.pages import NotFound, Visit, page
from pipeline.web.stores import Store, part

_LIMIT = 50
_MOST_TEXT = 200
#: What each tab shows: its name, and what is there if nothing is.
_TABS: dict[str, tuple[str, str]] = {
    "": ("Everybody", ""),
    "needs_reauth": ("Must reconnect", "Every connected account can be read."),
    "stale": ("Stale", "Every copy is within its freshness target."),
    "error": ("Failing", "No sync has failed since it last succeeded."),
    "rate_limited": ("Waiting for quota", "Nobody waits for a provider's quota."),
    "paused": ("Paused", "Nobody is paused."),
}


def _asked(visit: Visit) -> Filter:
    """Return what the address asks for."""
    query = visit.query
    trouble, source = query.get("show", ""), query.get("source", "")
    if trouble and trouble not in TROUBLES:
        raise NotFound(f"there is no list of users called {trouble[:40]!r}")
    if source and source not in SOURCES:
        raise NotFound(f"there is no source {source[:40]!r}")
    return Filter(
        search=query.get("q", "").strip()[:_MOST_TEXT],
        trouble=trouble or None,
        source=source,
        tenant_id=query.get("tenant", "")[:_MOST_TEXT],
    )


def _address(asked: Filter, **changes: str) -> str:
    """Return this page's address with some of its query changed, from the first page on."""
    kept = {
        "show": asked.trouble or "",
        "source": asked.source,
        "tenant": asked.tenant_id,
        "q": asked.search,
    }
    query = {name: value for name, value in (kept | changes).items() if value}
    return f"?{urlencode(query)}" if query else "?"


def _read(visit: Visit) -> Mapping[str, Any]:
    asked, after = _asked(visit), visit.query.get("after", "")[: 2 * _MOST_TEXT]

    def read() -> UserPage:
        try:
            return users(_LIMIT, after=after, wanted=asked)
        except ValueError:
            raise NotFound("this address does not name a place in the list") from None

    # Pauses of users are in Redis.
    store: Store = "redis" if asked.trouble == "paused" else "mongodb"
    found = part(store, read, keep="users" if _address(asked) == "?" and not after else "")
    columns = [asked.source] if asked.source else list(SOURCES)
    return {
        "found": found,
        "asked": asked,
        "columns": columns,
        "tabs": [
            {
                "label": label,
                "href": _address(asked, show=name),
                "current": name == (asked.trouble or ""),
            }
            for name, (label, _) in _TABS.items()
        ],
        "sources": [(_address(asked, source=name), name) for name in SOURCES],
        "all_sources": _address(asked, source=""),
        "all_tenants": _address(asked, tenant=""),
        "keep": {
            name: value
            for name, value in (
                ("show", asked.trouble or ""),
                ("source", asked.source),
                ("tenant", asked.tenant_id),
            )
            if value
        },
        "none": _TABS[asked.trouble or ""][1],
        "next": _address(asked, after=found.value.next) if found.value and found.value.next else "",
        "first": _address(asked) if after else "",
    }


routes = [page("/admin/users", "users", _read, title="Users", seconds=5), *user.routes]
