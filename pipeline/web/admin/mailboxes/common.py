"""What the pages of one mailbox share: its head, the way between them, names of folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import Gone
from pipeline.mailbox.reading import mailboxes
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.places import Place
from pipeline.stores import Row
from pipeline.web.pages import Done, NotFound, Visit
from pipeline.web.paths import segment
from pipeline.web.stores import part
from pipeline.web.templating import render

HOME = "/admin/mailboxes"
ONE = f"{HOME}/{{mailbox_id:id}}"
PER_PAGE = 50
MOST_TEXT = 200

#: The pages of a mailbox: the end of each address, and its name.
_PAGES = (
    ("", "Overview"),
    ("/events", "Events"),
    ("/patterns", "Patterns"),
    ("/rules", "Rules"),
    ("/staged", "Staged"),
    ("/audit", "Audit"),
    ("/notifications", "Notifications"),
    ("/settings", "Settings"),
)

ReadBox = Callable[[MailboxRow], Mapping[str, Any]]


def url_of(mailbox_id: str) -> str:
    """Return the address of a mailbox."""
    return f"{HOME}/{segment(mailbox_id)}"


def box_of(visit: Visit) -> MailboxRow:
    """Return the mailbox that the address names.  Raises NotFound."""
    try:
        return mailboxes.find(visit.path["mailbox_id"])
    except Gone:
        raise NotFound("There is no such mailbox; its user may have been erased.") from None


def framed(visit: Visit, current: str, read: ReadBox) -> dict[str, Any]:
    """Return what the page `current` of a mailbox is rendered with.

    `found` is the part that was read: the mailbox, and what `read` made of it.
    """
    mailbox_id = visit.path["mailbox_id"]

    def both() -> tuple[MailboxRow, Mapping[str, Any]]:
        box = box_of(visit)
        return box, read(box)

    keep = f"mailbox {mailbox_id}{current}" if not visit.query else ""
    found = part("mongodb", both, keep=keep)
    url = url_of(mailbox_id)
    return {
        "title": f"Mailbox of {found.value[0].mailbox['user_id']}" if found.value else "Mailbox",
        "found": found,
        "url": url,
        "here": url + current,
        "sub": [
            {"label": label, "href": url + end, "current": end == current} for end, label in _PAGES
        ],
    }


def address(visit: Visit, names: tuple[str, ...], **changes: str) -> str:
    """Return this page's address with some of its query changed, from the first page on."""
    kept = {name: visit.query[name] for name in names if name in visit.query}
    query = {name: value for name, value in (kept | changes).items() if value}
    return f"?{urlencode(query)}" if query else "?"


def place_of(visit: Visit, name: str = "before") -> Place | None:
    """Return the place in a list that the address names.  Raises NotFound."""
    text = visit.query.get(name)
    try:
        return Place.parsed(text) if text else None
    except ValueError:
        raise NotFound("This address does not name a place in the list.") from None


def revealed(visit: Visit, title: str, lines: list[str]) -> Done:
    """Return an answer that shows personal data once, to who asks; the audit says who."""
    text = "\n".join(lines) or "There is nothing to show."
    html = render("admin/_revealed.html", title=title, text=text, who=visit.principal.name)
    return Done("Revealed.", {"rows": len(lines)}, html=html)


def told(row: Row, name: str, default: Any = None) -> Any:
    """Return a setting of a row, which may be missing or null in older ones."""
    value = row.get(name)
    return default if value is None else value
