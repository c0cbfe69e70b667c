"""The Notifications page of a mailbox: what its user was told, and whether they have read it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.jobs.redaction import masked
from pipeline.mailbox import notifying
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.stores import Row
from pipeline.web.admin.mailboxes.common import ONE, PER_PAGE, address, box_of, framed, url_of
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page
from pipeline.web.paths import segment

_KINDS = {"high": "warn", "normal": "info", "low": "idle"}
#: Where a notification leads, by what it is about.
_ENDS = {"pattern": "/patterns/{}", "rule": "/rules/{}", "staged_email": "/staged"}


def _read(visit: Visit) -> Mapping[str, Any]:
    unread_only, before = visit.query.get("show") == "unread", _before(visit)

    def read(box: MailboxRow) -> Mapping[str, Any]:
        user_id = box.mailbox["user_id"]
        found = notifying.listed(
            user_id, unread_only=unread_only, limit=PER_PAGE + 1, before=before
        )
        shown = found[:PER_PAGE]
        more = len(found) > PER_PAGE
        return {
            "rows": [_shown(row, url_of(box.id)) for row in shown],
            "tabs": _tabs(visit, unread_only, notifying.unread_count(user_id)),
            "next": _next(visit, shown[-1]) if more else "",
        }

    return framed(visit, "/notifications", read) | {
        "unread_only": unread_only,
        "first": address(visit, ("show",)) if before else "",
    }


def _before(visit: Visit) -> datetime | None:
    text = visit.query.get("before", "")
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise NotFound("This address does not name a place in the list.") from None


def _next(visit: Visit, last: Row) -> str:
    return address(visit, ("show",), before=last["created_at"].isoformat())


def _tabs(visit: Visit, unread_only: bool, unread: int) -> list[dict[str, Any]]:
    return [
        {"label": "All", "href": address(visit, ("show",), show=""), "current": not unread_only},
        {
            "label": "Unread",
            "href": address(visit, ("show",), show="unread"),
            "current": unread_only,
            "count": unread,
        },
    ]


def _shown(row: Row, url: str) -> dict[str, Any]:
    about = row.get("related_entity") or {}
    end = _ENDS.get(about.get("entity_type", ""), "")
    return {
        "id": str(row["_id"]),
        "at": row["created_at"],
        "title": masked(row["title"]),
        "message": masked(row["message"]),
        "type": row["type"].replace("_", " "),
        "kind": _KINDS.get(row.get("priority", ""), "info"),
        "is_read": row["is_read"],
        "href": url + end.format(segment(str(about["entity_id"]))) if end else "",
    }


def _mark(visit: Visit) -> Done:
    user_id = box_of(visit).mailbox["user_id"]
    if not notifying.mark_read(user_id, [visit.path["notification_id"]]):
        raise Conflict("It is read already, or has expired.")
    return Done("Marked as read.")


def _mark_all(visit: Visit) -> Done:
    count = notifying.mark_read(box_of(visit).mailbox["user_id"])
    if not count:
        raise Conflict("There is nothing unread.")
    return Done(f"Marked as read: {count:,}.", {"notifications": count})


_LIST = f"{ONE}/notifications"
routes = [
    page(_LIST, "mailboxes/notifications", _read, title="Notifications", nav="mailboxes"),
    action(f"{_LIST}/{{notification_id:id}}/read", _mark, name="notification.read"),
    action(f"{_LIST}/read", _mark_all, name="notification.read_all"),
]
