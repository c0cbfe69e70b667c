"""The Audit page of a mailbox: what was done to its mail, by whom, and undoing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.mail_audit import MAIL_AUDIT_ACTIONS
from pipeline.errors import Gone
from pipeline.jobs.redaction import masked
from pipeline.mailbox import audit, undo
from pipeline.mailbox.reading.folders import paths
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.mailbox.reading.steps import scalars, steps_in_words, undone_in_words
from pipeline.stores import Row
from pipeline.web.admin.mailboxes.common import ONE, PER_PAGE, address, box_of, framed, url_of
from pipeline.web.pages import Done, NotFound, Visit, action, page
from pipeline.web.paths import segment

_FILTERS = ("action", "undoable")
_TARGETS = {"rule": "/rules/{}", "pattern": "/patterns/{}", "email": "/events?message={}"}

_UNDONE = {
    "undone": "Undone: every step was taken back.",
    "partial": "Not all of it could be undone; the row says what is left.",
    "pending": "It is being undone; the mailbox is busy just now.",
}


def _read(visit: Visit) -> Mapping[str, Any]:
    chosen, undoable = visit.query.get("action", ""), visit.query.get("undoable", "")
    before = visit.query.get("before", "")
    if chosen not in ("", *MAIL_AUDIT_ACTIONS):
        raise NotFound(f"There is no act {chosen[:40]!r} in the audit.")

    def read(box: MailboxRow) -> Mapping[str, Any]:
        user_id = box.mailbox["user_id"]
        found = _rows(user_id, chosen, bool(undoable), before)
        folders, shown = paths(user_id), found[:PER_PAGE]
        more = len(found) > PER_PAGE
        return {
            "rows": [_shown(row, visit, folders) for row in shown],
            "next": address(visit, _FILTERS, before=str(shown[-1]["_id"])) if more else "",
        }

    return framed(visit, "/audit", read) | {
        "chosen": chosen,
        "undoable": undoable,
        "actions": [(name, name.replace("_", " ")) for name in MAIL_AUDIT_ACTIONS],
        "first": address(visit, _FILTERS) if before else "",
    }


def _rows(user_id: str, chosen: str, undoable: bool, before: str) -> list[Row]:
    try:
        return audit.listed(
            user_id,
            action=chosen,
            undoable=True if undoable else None,
            before=before,
            limit=PER_PAGE + 1,
        )
    except Gone:
        raise NotFound("This address does not name a place in the list.") from None


def _shown(row: Row, visit: Visit, folders: Mapping[str, str]) -> dict[str, Any]:
    target = _TARGETS.get(row["target_type"], "")
    url = url_of(visit.path["mailbox_id"])
    return {
        "id": str(row["_id"]),
        "at": row["created_at"],
        "action": row["action"].replace("_", " "),
        "actor": masked(str(row["actor"])),
        "target": row["target_type"],
        "href": url + target.format(segment(str(row["target_id"]))) if target else "",
        "details": scalars(row.get("details") or {}),
        "steps": steps_in_words(row.get("steps") or (), folders),
        "state": row.get("undo_state") or "",
        "results": undone_in_words(row.get("undo_results") or (), row.get("steps") or ()),
        "undone_by": masked(str(row.get("undone_by") or "")),
        "undone_at": row.get("undone_at"),
        "may_undo": undo.why_not_undoable(row, visit.now) is None,
    }


def _undo(visit: Visit) -> Done:
    user_id = box_of(visit).mailbox["user_id"]
    done = undo.undo(user_id, visit.path["audit_id"], visit.principal.name)
    details = {"state": done.state, "steps": len(done.results)}
    return Done(_UNDONE.get(done.state, _UNDONE["partial"]), details)


routes = [
    page(f"{ONE}/audit", "mailboxes/audit", _read, title="Audit", nav="mailboxes"),
    action(f"{ONE}/audit/{{audit_id:id}}/undo", _undo, name="mail_audit.undo"),
]
