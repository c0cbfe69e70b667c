"""The Mailboxes page: every Microsoft 365 mailbox, how it is, and what waits for somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.mailbox.reading.mailboxes import SHOWN, Filter, MailboxPage, listed
from pipeline.web.admin.mailboxes.common import HOME, MOST_TEXT, PER_PAGE, address
from pipeline.web.pages import NotFound, Visit, page
from pipeline.web.stores import part

#: What each tab shows: its name, and what is there if nothing is.
_TABS: dict[str, tuple[str, str]] = {
    "": ("All", ""),
    "suggested": ("With suggestions", "No habit waits for somebody to say yes or no."),
    "staged": ("With staged mail", "No mail waits to be deleted."),
    "paused": ("Automation paused", "Nothing is paused: rules act in every mailbox."),
    "disconnected": ("Disconnected", "Every mailbox is connected."),
}
_KEPT = ("show", "tenant", "q")


def _asked(visit: Visit) -> Filter:
    show = visit.query.get("show", "")
    if show and show not in SHOWN:
        raise NotFound(f"There is no list of mailboxes called {show[:40]!r}.")
    return Filter(
        search=visit.query.get("q", "").strip()[:MOST_TEXT],
        show=show or None,
        tenant_id=visit.query.get("tenant", "")[:MOST_TEXT],
    )


def _read(visit: Visit) -> Mapping[str, Any]:
    asked, after = _asked(visit), visit.query.get("after", "")[:MOST_TEXT]

    def read() -> MailboxPage:
        try:
            return listed(PER_PAGE, after=after, wanted=asked)
        except ValueError:
            raise NotFound("This address does not name a place in the list.") from None

    found = part("mongodb", read, keep="" if visit.query else "mailboxes")
    after_this = found.value.next if found.value else ""
    return {
        "found": found,
        "asked": asked,
        "tabs": [
            {
                "label": label,
                "href": address(visit, _KEPT, show=name),
                "current": name == (asked.show or ""),
            }
            for name, (label, _) in _TABS.items()
        ],
        "none": _TABS[asked.show or ""][1],
        "keep": {n: visit.query[n] for n in ("show", "tenant") if visit.query.get(n)},
        "all_tenants": address(visit, _KEPT, tenant=""),
        "next": address(visit, _KEPT, after=after_this) if after_this else "",
        "first": address(visit, _KEPT) if after else "",
    }


routes = [page(HOME, "mailboxes/list", _read, title="Mailboxes", nav="mailboxes", seconds=5)]
