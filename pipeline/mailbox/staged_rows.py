"""The rows of staged mail: who may act on one, and what became of it.

Whoever turns `staged` into `executing` or `rescuing` alone may act; the row of the ledger for
that comes in the same transaction, so that a claim whose process dies is carried through.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models import Execution, StagedEmail
from pipeline.config import settings
from pipeline.errors import Gone, Permanent
from pipeline.mailbox import audit, ledger
from pipeline.mailbox.deeds import sender_of
from pipeline.mailbox.hours import next_execution, zone_of
from pipeline.stores import Row, collection, mongodb

#: How long before mail is executed its user is reminded.
ALERT_BEFORE = timedelta(hours=2)
#: How long a row stays after it is over.
KEPT_FOR = timedelta(days=7)
#: By kind of execution: the status while it goes on.
CLAIMED = {"execute": "executing", "rescue": "rescuing"}
#: Statuses from which a claim is possible; what failed may be tried again by its user.
_CLAIMABLE = ("staged", "failed")
_WHY_NOT = {
    "executing": "it is being executed already",
    "rescuing": "it is being returned already",
    "executed": "it has been executed already",
    "rescued": "it has been returned already",
    "expired": "it is not in the staging folder any more",
}
#: The action of the ledger for one of a staged mail.
_OVER = ("executed", "rescued", "expired", "failed")


def insert(
    staged_id: ObjectId,
    execution: Row,
    mail: Mapping[str, Any],
    folder_id: str,
    user: Row | None,
    mailbox: Row,
    now: datetime,
) -> bool:
    """Write the row of mail that is about to be moved to `folder_id`; False if one is open.

    Safe to repeat with the same `staged_id`.
    """
    name, email = sender_of(mail)
    expires_at = now + timedelta(hours=settings().staging_hours)
    row = {
        "user_id": execution["user_id"],
        "tenant_id": execution["tenant_id"],
        "mailbox_id": execution["mailbox_id"],
        "rule_id": execution["rule_id"],
        "message_id": execution["message_id"],
        "sender_email": email,
        "sender_name": name,
        "subject": str(mail.get("subject") or ""),
        "original_folder": str(mail["parentFolderId"]),
        "staged_at": now,
        "expires_at": expires_at,
        "due_at": _alert_at(execution_time(expires_at, user, mailbox, now), now),
        "status": "staged",
        "actions": [{"action_type": "delete"}],
        "created_at": now,
    }
    fresh = {"$setOnInsert": row, "$set": {"staging_folder": folder_id, "updated_at": now}}
    try:
        collection(StagedEmail).update_one({"_id": staged_id}, fresh, upsert=True)
    except DuplicateKeyError:
        return False
    return True


def execution_time(expires_at: datetime, user: Row | None, mailbox: Row, now: datetime) -> datetime:
    """Return when staged mail is executed, as its user's working hours are set now."""
    user = user or {}
    preferences = user.get("preferences") or {}
    return next_execution(expires_at, now, preferences, zone_of(user, mailbox))


def find(user_id: str, staged_id: str) -> Row:
    """Return the row of a user's staged mail.  Raises Gone if they have none of this id."""
    try:
        row = collection(StagedEmail).find_one({"_id": ObjectId(staged_id), "user_id": user_id})
    except InvalidId:
        row = None
    if row is None:
        raise Gone("there is no such staged mail")
    return row


def claim(user_id: str, staged_id: str, kind: str, by: str, now: datetime, reason: str = "") -> str:
    """Claim staged mail for `execute` or `rescue`; return the id of the execution, due now.

    `reason` says why it is returned, if its user has not asked for it.
    Raises Gone if there is none, Permanent, with the reason, if somebody else has claimed it.
    """

    def transact(session: ClientSession) -> str:
        row = take(user_id, staged_id, kind, now, session)
        execution = _execution(row, kind, by, now) | {"because": reason}
        # What failed before is tried anew.
        collection(Execution).delete_one({"_id": execution["_id"]}, session=session)
        collection(Execution).insert_one(execution, session=session)
        return str(execution["_id"])

    with mongodb().client.start_session() as session:
        return str(session.with_transaction(transact))


def take(user_id: str, staged_id: str, kind: str, now: datetime, session: ClientSession) -> Row:
    """Claim the row alone, within a transaction, and return it.  Raises as `claim` does."""
    row = find(user_id, staged_id)
    try:
        taken = collection(StagedEmail).find_one_and_update(
            {"_id": row["_id"], "status": {"$in": list(_CLAIMABLE)}},
            {"$set": {"status": CLAIMED[kind], "updated_at": now}, "$unset": _OPEN_ONLY},
            session=session,
        )
    except DuplicateKeyError:
        raise Permanent("this mail has been staged again") from None
    if taken is None:
        status = collection(StagedEmail).find_one({"_id": row["_id"]}, {"status": 1}) or {}
        raise Permanent(_WHY_NOT.get(status.get("status", ""), "it is being worked on"))
    return taken


def give_back(execution: Row, until: datetime, reason: str, now: datetime) -> None:
    """Put claimed mail of which nothing was done back to the others, to be looked at later.

    Raises LeaseLost if somebody else has claimed it.
    """
    staged = {"status": "staged", "due_at": until, "error": reason, "updated_at": now}

    def transact(session: ClientSession) -> None:
        ledger.forget(execution, session)
        _of(execution, {"$set": staged}, session)

    with mongodb().client.start_session() as session:
        session.with_transaction(transact)


def turn_back(execution: Row, reason: str, now: datetime) -> str:
    """Have claimed mail returned instead of executed; return the id of that execution.

    Raises LeaseLost if somebody else has claimed it.
    """
    staged = {"status": "rescuing", "error": reason, "updated_at": now}

    def transact(session: ClientSession) -> str:
        ledger.forget(execution, session)
        _of(execution, {"$set": staged}, session)
        row = find(execution["user_id"], execution["staged_id"])
        rescue = _execution(row, "rescue", audit.SCHEDULE, now) | {"because": reason}
        collection(Execution).replace_one({"_id": rescue["_id"]}, rescue, True, session=session)
        return str(rescue["_id"])

    with mongodb().client.start_session() as session:
        return str(session.with_transaction(transact))


def settle(staged_id: str, status: str, error: str, now: datetime, session: ClientSession) -> None:
    """Write what became of staged mail.  What failed stays until its user has seen to it."""
    fresh: Row = {"status": status, "error": error or None, "updated_at": now}
    fresh |= {f"{status}_at": now} if status in ("executed", "rescued") else {}
    fresh |= {} if status == "failed" else {"cleanup_at": now + KEPT_FOR}
    collection(StagedEmail).update_one(
        {"_id": ObjectId(staged_id), "status": {"$nin": list(_OVER)}},
        {"$set": fresh, "$unset": {"due_at": ""}},
        session=session,
    )


def settle_unmoved(
    staged_id: str, status: str, error: str, now: datetime, session: ClientSession
) -> None:
    """Write that mail did not get to the staging folder, unless somebody has claimed it."""
    row = collection(StagedEmail).find_one({"_id": ObjectId(staged_id)}, session=session)
    if row is not None and row["status"] == "staged":
        settle(staged_id, status, error, now, session)


def is_open(staged_id: str) -> bool:
    """Return whether mail is still to be staged, and nobody has asked for it to stay."""
    wanted = {"_id": ObjectId(staged_id), "status": "staged"}
    return collection(StagedEmail).count_documents(wanted, limit=1) > 0


def look_again(row: Row, until: datetime, now: datetime, **changes: Any) -> bool:
    """Set when to look at staged mail next; False if somebody has claimed it meanwhile."""
    fresh = {"due_at": until, "updated_at": now} | changes
    wanted = {"_id": row["_id"], "status": "staged"}
    return collection(StagedEmail).update_one(wanted, {"$set": fresh}).matched_count > 0


def due(mailbox_id: str, now: datetime, limit: int) -> list[Row]:
    """Return what of a mailbox's staged mail is to be looked at, the oldest first."""
    wanted = {"mailbox_id": mailbox_id, "due_at": {"$lte": now}}
    return list(collection(StagedEmail).find(wanted).sort("due_at", 1).limit(limit))


#: Fields of a row that waits, and of one that is over.
_OPEN_ONLY: Row = {"due_at": "", "cleanup_at": ""}


def _alert_at(execution_at: datetime, now: datetime) -> datetime:
    return max(now, execution_at - ALERT_BEFORE)


def _of(execution: Row, update: Row, session: ClientSession) -> None:
    wanted = {"_id": ObjectId(execution["staged_id"]), "status": CLAIMED[execution["kind"]]}
    collection(StagedEmail).update_one(wanted, update, session=session)


def _execution(row: Row, kind: str, by: str, now: datetime) -> Row:
    """Return the row of the ledger that carries a claim through."""
    staged_id = str(row["_id"])
    mailbox = {name: row[name] for name in ("user_id", "tenant_id")} | {"_id": row["mailbox_id"]}
    steps = [_returning(row)] if kind == "rescue" else list(_executing(row))
    made = ledger.new_row(
        f"staged:{staged_id}:{kind}", kind, mailbox, row["message_id"], steps, now
    )
    return made | {"staged_id": staged_id, "rule_id": row["rule_id"], "by": by}


def _returning(row: Row) -> Row:
    return ledger.new_step(
        "put_back", to_folder=row["original_folder"], from_folder=row["staging_folder"]
    )


def _executing(row: Row) -> list[Row]:
    """Return what is done once it has waited: an undo leads to where the mail was at first."""
    places = {"from_folder": row["staging_folder"], "return_to": row["original_folder"]}
    return [
        ledger.new_step(str(action["action_type"]), number, **places)
        for number, action in enumerate(row["actions"])
    ]
