"""The ledger of mail to users: one row per mail, and who may do what with it.

pending ──claim──▶ sending ──▶ sent | failed | unknown
   ▲                  │
   └── not taken ─────┘        pending ──▶ skipped: its user does not want it

A worker that dies while the mail server may have it leaves it `unknown`: it is never sent
again by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from models import EmailDelivery
from models.email import EMAIL_STATUSES, EMAIL_URGENCIES
from pipeline import dispatch
from pipeline.config import settings
from pipeline.errors import LeaseLost
from pipeline.platform.email.catalog import built_in
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

_MOST_KEY_CHARACTERS = 300


def queue(
    key: str,
    *,
    tenant_id: str,
    user_id: str,
    template: str,
    context: Mapping[str, Any],
    urgency: str = "normal",
    by: str,
) -> str:
    """Have a mail be sent to a user, once for `key`; return the id of its delivery.

    Nothing is written if there is one of that key in the tenant already.  `context` must have
    what the template names beside what all have.
    Raises Refused that names the field, and what the stores raise: what was written then is
    found by the next tick.
    """
    _check(key, template, context, urgency)
    now = datetime.now(UTC)
    row: Row = {
        "_id": delivery_id(tenant_id, key),
        "tenant_id": tenant_id,
        "user_id": user_id,
        "key": key,
        "template": template,
        "template_version": 0,
        "urgency": urgency,
        "context": dict(context),
        "status": "pending",
        "due_at": now,
        "attempts": 0,
        "fence": 0,
        "queued_by": by,
        "created_at": now,
        "updated_at": now,
        "expires_at": now + timedelta(days=settings().email_delivery_retention_days),
    }
    try:
        collection(EmailDelivery).insert_one(row)
    except DuplicateKeyError:
        return str(row["_id"])
    dispatch.send("send_email", row["_id"], tenant_id=tenant_id)
    return str(row["_id"])


def delivery_id(tenant_id: str, key: str) -> str:
    """Return the id of the delivery of a key."""
    return hashlib.sha256(f"{tenant_id}\x00{key}".encode()).hexdigest()[:32]


def message_id(row: Row) -> str:
    """Return the Message-ID of a delivery: the same however often it is tried.

    https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4
    """
    return f"<{row['_id']}@{settings().email_from.rpartition('@')[2]}>"


def get(tenant_id: str, delivery: str) -> Row:
    """Return a delivery of a tenant.  Raises Refused if there is none."""
    row = collection(EmailDelivery).find_one({"_id": delivery, "tenant_id": tenant_id})
    if row is None:
        raise Refused("delivery", "there is no such delivery")
    return row


def listed(
    tenant_id: str,
    *,
    status: str | None = None,
    user_id: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Row]:
    """Return deliveries of a tenant, the newest first, without what they say.

    `before` is (created_at, id) of the last one that was seen.  Raises Refused.
    """
    if status is not None and status not in EMAIL_STATUSES:
        raise Refused("status", f"expected one of {', '.join(EMAIL_STATUSES)}")
    given = {"status": status, "user_id": user_id}
    wanted: Row = {"tenant_id": tenant_id} | {k: v for k, v in given.items() if v is not None}
    if before is not None:
        at, last = before
        wanted["$or"] = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": last}}]
    hidden = {"context": 0, "subject": 0, "html": 0, "text": 0}
    rows = collection(EmailDelivery).find(wanted, hidden)
    return list(rows.sort([("created_at", DESCENDING), ("_id", DESCENDING)]).limit(limit))


def claim(delivery: str) -> Row | None:
    """Take a delivery that is due; None if it is not, or somebody else has it."""
    now = datetime.now(UTC)
    return collection(EmailDelivery).find_one_and_update(
        {"_id": delivery, "status": "pending", "due_at": {"$lte": now}},
        {
            "$set": {
                "status": "sending",
                "lease_until": now + timedelta(seconds=settings().email_lease_seconds),
                "updated_at": now,
            },
            "$inc": {"fence": 1},
            "$unset": {"why": ""},
        },
        return_document=ReturnDocument.AFTER,
    )


def write(row: Row, **fields: Any) -> None:
    """Write to a delivery that this worker has claimed.  Raises LeaseLost if it has it no more.

    One that was held for dead while the mail server was slow knows better than `unknown`.
    """
    fields["updated_at"] = datetime.now(UTC)
    held = {"$in": ["sending", "unknown"]}
    mine = {"_id": row["_id"], "fence": row["fence"], "status": held}
    if not collection(EmailDelivery).update_one(mine, {"$set": fields}).matched_count:
        raise LeaseLost("this mail has been taken from its worker")
    row.update(fields)


def orphans(now: datetime, limit: int) -> tuple[int, list[Row]]:
    """Deal with what dead workers have claimed: how many may have been sent, and the others,
    which are pending again."""
    rows = collection(EmailDelivery)
    dead: Row = {"status": "sending", "lease_until": {"$lte": now}}
    handed = {"handed_at": {"$ne": None}}
    why = "its worker died while the mail server may have had it"
    unknown = rows.update_many(
        dead | handed, {"$set": {"status": "unknown", "why": why, "updated_at": now}}
    )
    found = list(rows.find(dead | {"handed_at": None}, {"tenant_id": 1}).limit(limit))
    again = {"$set": {"status": "pending", "due_at": now, "updated_at": now}}
    rows.update_many(
        dead | {"handed_at": None, "_id": {"$in": [row["_id"] for row in found]}}, again
    )
    return unknown.modified_count, found


def due(now: datetime, limit: int) -> list[Row]:
    """Return deliveries that are due, the longest due first."""
    wanted: Row = {"status": "pending", "due_at": {"$lte": now}}
    rows = collection(EmailDelivery).find(wanted, {"tenant_id": 1})
    return list(rows.sort("due_at", ASCENDING).limit(limit))


def put_off(row: Row, until: datetime, why: str, **fields: Any) -> None:
    """Give a claimed delivery back, to be looked at again."""
    write(row, status="pending", due_at=until, why=why, handed_at=None, **fields)


def retry(tenant_id: str, delivery: str) -> Row:
    """Have a mail that has failed, or that was skipped, tried again.  Raises Refused."""
    return _revived(tenant_id, delivery, ("failed", "skipped"))


def settle(tenant_id: str, delivery: str, *, sent: bool) -> Row:
    """Say of a mail that may have been sent whether it was; if not, it is sent.  Raises Refused."""
    if not sent:
        return _revived(tenant_id, delivery, ("unknown",))
    now = datetime.now(UTC)
    fields = {"status": "sent", "sent_at": now, "updated_at": now, "why": "somebody has seen it"}
    return _changed(tenant_id, delivery, ("unknown",), fields)


def _revived(tenant_id: str, delivery: str, statuses: Sequence[str]) -> Row:
    now = datetime.now(UTC)
    fields = {"status": "pending", "due_at": now, "updated_at": now, "attempts": 0}
    fields["handed_at"] = None
    row = _changed(tenant_id, delivery, statuses, fields)
    dispatch.send("send_email", row["_id"], tenant_id=tenant_id)
    return row


def _changed(tenant_id: str, delivery: str, statuses: Sequence[str], fields: Row) -> Row:
    wanted = {"_id": delivery, "tenant_id": tenant_id, "status": {"$in": list(statuses)}}
    row = collection(EmailDelivery).find_one_and_update(
        wanted, {"$set": fields}, return_document=ReturnDocument.AFTER
    )
    if row is None:
        status = get(tenant_id, delivery)["status"]
        raise Refused("delivery", f"it is {status}; expected {' or '.join(statuses)}")
    return row


def _check(key: str, template: str, context: Mapping[str, Any], urgency: str) -> None:
    if not 0 < len(key) <= _MOST_KEY_CHARACTERS:
        raise Refused("key", f"expected 1 to {_MOST_KEY_CHARACTERS} characters")
    if urgency not in EMAIL_URGENCIES:
        raise Refused("urgency", f"expected one of {', '.join(EMAIL_URGENCIES)}")
    missing = sorted(set(built_in(template).sample) - set(context))
    if missing:
        raise Refused("context", f"the template {template} needs {', '.join(missing)}")
