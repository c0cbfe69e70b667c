"""Users who are set inactive: all that is done for them stops, until they are active again."""

from __future__ import annotations

from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from models import Mailbox, User
from pipeline.connect import start_syncing
from pipeline.mailbox import audit, mailboxes, watermark
from pipeline.mailbox.rule_store import transaction
from pipeline.stores import Row, collection
from pipeline.sync import inactive
from pipeline.users.acting import tenant_of


def deactivate(user_id: str, by: str) -> bool:
    """Stop all that is done for a user; False if that was so.  Safe to repeat.

    What runs can write nothing more.  The copy stays, and so do the grants, which are not
    refreshed meanwhile.  Raises Unknown, and NotNow for a user who is being erased.
    """
    changed = _set(user_id, by, active=False)
    inactive.pause(user_id)
    return changed


def activate(user_id: str, by: str) -> bool:
    """Have all go on that stopped when a user was set inactive; False if nothing had.

    Safe to repeat.  Mail that came meanwhile is not acted upon.  Raises Unknown, and NotNow
    for a user who is being erased.
    """
    changed = _set(user_id, by, active=True)
    sources = inactive.resume(user_id)
    watermark.wake(user_id)
    if changed and sources:
        start_syncing(user_id, sources)
    return changed


def _set(user_id: str, by: str, *, active: bool) -> bool:
    """Set whether a user is active; return whether it was otherwise, which the audit tells."""
    tenant_id, mailbox = tenant_of(user_id), mailboxes.of_user(user_id)
    # Rows that do not say are of users who are active.
    otherwise: Row = {"_id": user_id, "is_active": False if active else {"$ne": False}}

    def write(session: ClientSession) -> bool:
        now = datetime.now(UTC)
        changes = {"$set": {"is_active": active, "updated_at": now}}
        done = collection(User).update_one(otherwise, changes, session=session)
        if not done.modified_count:
            return False
        if active:
            _open(user_id, now, session)
        if mailbox is not None:
            _tell(mailbox, tenant_id, by, active=active, session=session)
        return True

    return transaction(write)


def _open(user_id: str, now: datetime, session: ClientSession) -> None:
    """Watch the user's mailbox from now on, and have what was put off looked at again."""
    changes = {"$set": {"watched_from": now, "work_due_at": now}}
    collection(Mailbox).update_many(
        {"user_id": user_id, "is_connected": True}, changes, session=session
    )


def _tell(mailbox: Row, tenant_id: str, by: str, *, active: bool, session: ClientSession) -> None:
    audit.write(
        str(mailbox["user_id"]),
        "automation_resumed" if active else "automation_paused",
        "mailbox",
        str(mailbox["_id"]),
        actor=by,
        mailbox_id=str(mailbox["_id"]),
        tenant_id=tenant_id,
        details={"reason": "its user is active again" if active else inactive.NOT_ACTIVE},
        session=session,
    )
