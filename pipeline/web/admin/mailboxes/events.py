"""The Events page of a mailbox: what happened to its mail, by whom, and how soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.email_event import EVENT_TYPES
from pipeline.mailbox.reading.events import Wanted, events, rule_names
from pipeline.mailbox.reading.folders import paths
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.mailbox.reading.names import sender_of
from pipeline.places import page_of
from pipeline.stores import Row
from pipeline.web.admin.mailboxes.common import (
    MOST_TEXT,
    ONE,
    PER_PAGE,
    address,
    box_of,
    framed,
    place_of,
    revealed,
)
from pipeline.web.pages import Done, NotFound, Visit, action, page

_FILTERS = ("type", "domain", "message")
_KINDS = {"arrived": "info", "deleted": "bad", "moved": "later", "read": "ok"}


def _wanted(given: Mapping[str, str]) -> Wanted:
    event_type = given.get("type", "")
    if event_type not in ("", *EVENT_TYPES):
        raise NotFound(
            f"There is no event {event_type[:40]!r}; there are {', '.join(EVENT_TYPES)}."
        )
    domain, message = given.get("domain", ""), given.get("message", "")
    return Wanted(event_type, domain.strip()[:MOST_TEXT], message.strip()[:MOST_TEXT])


def _read(visit: Visit) -> Mapping[str, Any]:
    wanted, before = _wanted(visit.query), place_of(visit)

    def read(box: MailboxRow) -> Mapping[str, Any]:
        found = events(box.mailbox, wanted, PER_PAGE + 1, before)
        shown, after = page_of(found, PER_PAGE, "timestamp")
        return {
            "rows": _rows(shown, paths(box.mailbox["user_id"])),
            "next": address(visit, _FILTERS, before=after) if after else "",
        }

    return framed(visit, "/events", read) | {
        "wanted": wanted,
        "types": EVENT_TYPES,
        "first": address(visit, _FILTERS) if before else "",
        "scope": {name: visit.query.get(name, "") for name in (*_FILTERS, "before")},
        "everything": address(visit, ()),
    }


def _rows(found: Sequence[Row], folders: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the page says of each event."""
    rules = rule_names({rule for row in found if (rule := _rule_of(row))})
    return [
        {
            "id": str(row["_id"]),
            "at": row["timestamp"],
            "type": row["event_type"],
            "kind": _KINDS.get(row["event_type"], "idle"),
            "message_id": row["message_id"],
            "sender": sender_of(row),
            "domain": (row.get("sender") or {}).get("domain") or "",
            "from": _folder(row.get("from_folder"), folders),
            "to": _folder(row.get("to_folder"), folders),
            "categories": row.get("categories") or [],
            "seconds": row.get("time_to_action"),
            "rule_id": _rule_of(row),
            "rule": rules.get(_rule_of(row), "a rule that is deleted"),
            "marks": _marks(row),
        }
        for row in found
    ]


def _rule_of(row: Row) -> str:
    return str((row.get("metadata") or {}).get("automated_by_rule") or "")


def _folder(folder_id: str | None, folders: Mapping[str, str]) -> str:
    return folders.get(folder_id, "a folder that is gone") if folder_id else ""


def _marks(row: Row) -> list[str]:
    """Return what kind of mail it is."""
    metadata = row.get("metadata") or {}
    marks = ["newsletter"] if metadata.get("is_newsletter") else []
    marks += ["automatic"] if metadata.get("is_automated") else []
    marks += ["attachments"] if row.get("has_attachments") else []
    return marks + (["important"] if row.get("importance") == "high" else [])


def _reveal(visit: Visit) -> Done:
    """Show senders and subjects of the events on the page, once, to who asks."""
    form = {name: visit.said(name) for name in (*_FILTERS, "before")}
    seen = Visit(visit.principal, visit.path, query=_as_query(form))
    found = events(box_of(visit).mailbox, _wanted(form), PER_PAGE, place_of(seen))
    return revealed(visit, "Senders and subjects", [line_of(row) for row in found])


def _as_query(form: Mapping[str, str]) -> Any:
    from starlette.datastructures import QueryParams

    return QueryParams({name: value for name, value in form.items() if value})


def line_of(row: Row) -> str:
    """Return who sent a mail, and its subject, as a line."""
    name = (row.get("sender") or {}).get("name") or row.get("sender_name") or ""
    who = f"{name} <{sender_of(row, reveal=True)}>" if name else sender_of(row, reveal=True)
    at = row.get("timestamp") or row.get("staged_at")
    return f"{at:%Y-%m-%d %H:%M} UTC  {who}  {row.get('subject') or '(no subject)'}"


routes = [
    page(f"{ONE}/events", "mailboxes/events", _read, title="Events", nav="mailboxes"),
    action(f"{ONE}/events/reveal", _reveal, name="mailbox.reveal_events"),
]
