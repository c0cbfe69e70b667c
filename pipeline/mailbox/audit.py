"""The audit of a user's mail: what was done to it, by whom, and what of it can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from mongoengine.errors import ValidationError
from pymongo import DESCENDING
from pymongo.client_session import ClientSession

from models import DEFAULT_TENANT, MailAudit, User
from pipeline.config import settings
from pipeline.errors import Gone, Permanent
from pipeline.stores import Row, collection

#: Who acted, where it was no person.
RULE = "rule"
SCHEDULE = "schedule"


def write(
    user_id: str,
    action: str,
    target_type: str,
    target_id: str | None,
    *,
    actor: str,
    mailbox_id: str | None = None,
    details: Mapping[str, Any] | None = None,
    steps: Sequence[Mapping[str, Any]] = (),
    undoable: bool = False,
    tenant_id: str | None = None,
    session: ClientSession | None = None,
) -> str:
    """Write a row and return its id; within `session`, it is there if the rest of that is.

    Raises Permanent for an action or a target that the model does not know.
    """
    now = datetime.now(UTC)
    row: Row = {
        "_id": ObjectId(),
        "user_id": user_id,
        "tenant_id": tenant_id or _tenant_of(user_id),
        "action": action,
        "target_type": target_type,
        "target_id": target_id,
        "actor": actor,
        "mailbox_id": mailbox_id,
        "details": dict(details or {}),
        "steps": [dict(step) for step in steps],
        "undoable": undoable,
        "created_at": now,
        "updated_at": now,
        "expires_at": now + timedelta(days=settings().mail_audit_retention_days),
    }
    _check(row)
    collection(MailAudit).insert_one(row, session=session)
    return str(row["_id"])


def listed(
    user_id: str,
    *,
    mailbox_id: str = "",
    action: str = "",
    target: tuple[str, str] | None = None,
    undoable: bool | None = None,
    before: str = "",
    limit: int = 50,
) -> list[Row]:
    """Return a user's rows that match, newest first; `target` is its type and id.

    `before`, the id of the last row of one page, gives the next.
    """
    query: Row = {"user_id": user_id}
    query |= {"mailbox_id": mailbox_id} if mailbox_id else {}
    query |= {"action": action} if action else {}
    query |= {"target_type": target[0], "target_id": target[1]} if target else {}
    query |= {} if undoable is None else {"undoable": undoable}
    if before:
        last = find(user_id, before)
        query["$or"] = [
            {"created_at": {"$lt": last["created_at"]}},
            {"created_at": last["created_at"], "_id": {"$lt": last["_id"]}},
        ]
    newest = [("created_at", DESCENDING), ("_id", DESCENDING)]
    return list(collection(MailAudit).find(query).sort(newest).limit(limit))


def find(user_id: str, audit_id: str) -> Row:
    """Return one row of a user.  Raises Gone if they have none of this id."""
    try:
        row = collection(MailAudit).find_one({"_id": ObjectId(audit_id), "user_id": user_id})
    except InvalidId:
        row = None
    if row is None:
        raise Gone("there is no such entry in the audit")
    return row


def _check(row: Row) -> None:
    fields = {name: value for name, value in row.items() if name != "_id"}
    try:
        MailAudit(**fields).validate()
    except ValidationError as error:
        names = ", ".join(sorted(error.errors or {"row": None}))
        raise Permanent(f"the audit takes no such row: {names}") from None


def _tenant_of(user_id: str) -> str:
    user: Row = collection(User).find_one({"_id": user_id}, {"tenant_id": 1}) or {}
    return str(user.get("tenant_id") or DEFAULT_TENANT)
