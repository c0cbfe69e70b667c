"""Undo: what was done to a mail, taken back from the state that it was in before.

Each step that was done is reversed, the last one first.  It is `undone` only if every one
was; otherwise `partial`, and may be tried again for what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from models import Execution, MailAudit, StagedEmail
from models.staged_email import STAGED_OPEN
from pipeline.config import settings
from pipeline.errors import Permanent
from pipeline.mailbox import audit, ledger, staged_rows
from pipeline.mailbox.checks import why_unreachable
from pipeline.mailbox.deeds import inverse
from pipeline.mailbox.holding import Hold
from pipeline.mailbox.outcomes import is_achieved
from pipeline.mailbox.staging import finish_claimed
from pipeline.stores import Row, collection, mongodb


class Undone(NamedTuple):
    """`undone`, `partial`, or `pending` while it goes on; and what became of each step."""

    state: str
    results: list[Row]


def undo(user_id: str, audit_id: str, by: str) -> Undone:
    """Take back what an entry of the audit says was done.

    Raises Gone if the user has no such entry, Permanent if it cannot be undone, or not any
    more, or is being undone.
    """
    row = audit.find(user_id, audit_id)
    why_not = why_not_undoable(row, datetime.now(UTC))
    why_not = why_not or why_unreachable(Hold.to_look(row["mailbox_id"]))
    if why_not:
        raise Permanent(f"this cannot be undone: {why_not}")
    execution_id = _claim(row, by, datetime.now(UTC))
    mailbox = {"_id": row["mailbox_id"], "user_id": user_id, "tenant_id": row["tenant_id"]}
    finish_claimed(mailbox, [execution_id])
    after = audit.find(user_id, audit_id)
    return Undone(after["undo_state"], list(after.get("undo_results") or ()))


def why_not_undoable(row: Row, now: datetime) -> str | None:
    """Return why an entry of the audit cannot be undone now, or None if it can."""
    if not row.get("undoable"):
        return "nothing of it can be taken back"
    if row.get("undo_state") == "undone":
        return "it has been undone already"
    if row.get("undo_state") == "pending":
        return "it is being undone just now"
    if row.get("undo_state") == "partial" and not any(_steps(row)):
        return "what is left of it cannot be taken back"
    if now - row["created_at"] > timedelta(hours=settings().undo_hours):
        return f"it is more than {settings().undo_hours:g} hours old"
    return None


def _claim(row: Row, by: str, now: datetime) -> str:
    """Claim the entry, and the mail if it is staged; return the id of the execution, due now."""

    def transact(session: ClientSession) -> str:
        claimed = collection(MailAudit).find_one_and_update(
            {"_id": row["_id"], "undo_state": {"$in": [None, "partial"]}},
            {
                "$set": {"undo_state": "pending", "undo_claimed_at": now, "updated_at": now},
                "$inc": {"undo_number": 1},
            },
            session=session,
            return_document=ReturnDocument.AFTER,
        )
        if claimed is None:
            raise Permanent("this cannot be undone: somebody else is just doing it")
        execution = _execution(claimed, by, now) | _staged(claimed, now, session)
        collection(Execution).insert_one(execution, session=session)
        return str(execution["_id"])

    with mongodb().client.start_session() as session:
        return str(session.with_transaction(transact))


def _execution(row: Row, by: str, now: datetime) -> Row:
    mailbox = {name: row[name] for name in ("user_id", "tenant_id")} | {"_id": row["mailbox_id"]}
    made = ledger.new_row(
        f"undo:{row['_id']}:{row['undo_number']}",
        "undo",
        mailbox,
        str(row["target_id"]),
        list(_steps(row)),
        now,
    )
    rule_id = (row.get("details") or {}).get("rule_id")
    return (
        made | {"audit_id": str(row["_id"]), "by": by} | ({"rule_id": rule_id} if rule_id else {})
    )


def _steps(row: Row) -> Iterator[Row]:
    """Yield what is to be done, in reverse: for each done step that is not undone yet."""
    achieved = {r["step"] for r in row.get("undo_results") or () if is_achieved(r)}
    for number, step in reversed(list(enumerate(row["steps"]))):
        back = inverse(step) if step["state"] == "done" else None
        if back is not None and number not in achieved:
            yield ledger.new_step(back["action_type"], number, **back["params"], of=number)


def _staged(row: Row, now: datetime, session: ClientSession) -> Row:
    """Claim the mail if it waits in the staging folder.  Raises Permanent if somebody has."""
    staged_id = (row.get("details") or {}).get("staged_id")
    if not staged_id:
        return {}
    waits = {"_id": ObjectId(staged_id), "status": {"$in": [*STAGED_OPEN, "failed"]}}
    if not collection(StagedEmail).count_documents(waits, limit=1, session=session):
        return {}
    staged_rows.take(row["user_id"], staged_id, "rescue", now, session)
    return {"staged_id": staged_id}
