"""Mailboxes as they are opened and closed.

A user has one mailbox that is connected; those of accounts that were connected before
stay, closed, with what was learnt in them.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from models import DEFAULT_TENANT, Mailbox, User
from pipeline.errors import Gone
from pipeline.mailbox import folders as landed
from pipeline.mailbox import notifying, watermark
from pipeline.mailbox.folders import Folders
from pipeline.stores import Row, collection
from pipeline.sync import erasures

__all__ = ["Folders", "closed", "find", "folders", "lost", "of_user", "opened"]


def opened(
    user_id: str,
    *,
    email: str,
    display_name: str,
    home_account_id: str,
    directory_id: str,
    time_zone: str,
    now: datetime,
) -> str:
    """Open the mailbox of an account, or note what is new of it; return its id.

    Safe to repeat.  Mail received before it was opened is never acted upon, nor is what
    came while it was closed.  The user's mailboxes of other accounts are closed.  Raises
    Permanent for a user who is being erased.
    """
    erasures.admit(user_id)
    email = email.strip().lower()
    facts = {
        "email": email,
        "display_name": display_name,
        "home_account_id": home_account_id,
        "directory_id": directory_id,
        "time_zone": time_zone,
        "tenant_id": _tenant_of(user_id),
    }
    mailbox_id = _mailbox_of(user_id, email, home_account_id, now)
    _make_room(user_id, email, mailbox_id, now)
    _connect(mailbox_id, facts, now)
    _close({"user_id": user_id, "_id": {"$ne": mailbox_id}}, "another account was connected", now)
    _introduce(user_id, email, display_name, home_account_id)
    watermark.wake(user_id)
    return mailbox_id


def closed(user_id: str, reason: str) -> None:
    """Close what is connected of a user: nothing is learnt or done there any more."""
    _close({"user_id": user_id}, reason, None)


def lost(user_id: str, reason: str) -> None:
    """Close the mailbox of a user who has to consent anew, and say so, once per loss."""
    mailbox = of_user(user_id)
    if mailbox is None or not mailbox.get("is_connected"):
        return
    since = mailbox["watched_from"].isoformat()
    # First, so that whoever dies in between leaves it connected, and it is told again: once.
    notifying.notify(
        user_id,
        "token_expiring",
        f"token_expiring:{mailbox['_id']}:{since}",
        "Your mailbox must be connected again",
        f"Microsoft no longer lets us read it: {reason}. Nothing is synced, learnt or done "
        "until you connect it again.",
        related=("mailbox", str(mailbox["_id"])),
        priority="high",
    )
    closed(user_id, reason)


def find(mailbox_id: str) -> Row:
    """Return a mailbox.  Raises Gone if there is none of this id."""
    row = collection(Mailbox).find_one({"_id": mailbox_id})
    if row is None:
        raise Gone(f"there is no mailbox {mailbox_id!r}")
    return row


def of_user(user_id: str) -> Row | None:
    """Return the mailbox of a user: the connected one, else the one that was so last."""
    newest = [("is_connected", DESCENDING), ("updated_at", DESCENDING)]
    return collection(Mailbox).find_one({"user_id": user_id}, sort=newest)


def folders(mailbox: Row) -> Folders:
    """Return the folders of a mailbox that have landed."""
    return landed.of_user(str(mailbox["user_id"]))


def _tenant_of(user_id: str) -> str:
    user: Row = collection(User).find_one({"_id": user_id}, {"tenant_id": 1}) or {}
    return str(user.get("tenant_id") or DEFAULT_TENANT)


def _mailbox_of(user_id: str, email: str, home_account_id: str, now: datetime) -> str:
    """Return the id of the account's mailbox, a new one if it never had one."""
    mailboxes = collection(Mailbox)
    known = mailboxes.find_one({"user_id": user_id, "home_account_id": home_account_id})
    known = known or mailboxes.find_one(
        {"user_id": user_id, "email": email, "home_account_id": {"$in": [None, home_account_id]}}
    )
    if known:
        return str(known["_id"])
    # Racing for the same account, one of two finds the other's; a filter on email alone would
    # find that of another account which had the address before.
    account = {"user_id": user_id, "home_account_id": home_account_id}
    _make_room(user_id, email, "", now)
    fresh: Row = {
        "_id": uuid4().hex,
        "tenant_id": DEFAULT_TENANT,
        "email": email,
        "is_connected": False,
        "settings": _settings(),
        "watched_from": now,
        "created_at": now,
        "updated_at": now,
    }
    try:
        row = collection(Mailbox).find_one_and_update(
            account,
            {"$setOnInsert": fresh},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:
        row = collection(Mailbox).find_one(account)
    assert row is not None
    return str(row["_id"])


def _settings() -> Row:
    return {
        "automation_paused": False,
        "whitelisted_senders": [],
        "whitelisted_domains": [],
        "mirror_rules": False,
        "signatures": [],
    }


def _make_room(user_id: str, email: str, mailbox_id: str, now: datetime) -> None:
    """Take an address from a former mailbox of another account that had it before."""
    former = collection(Mailbox).find_one(
        {"user_id": user_id, "email": email, "_id": {"$ne": mailbox_id}}
    )
    if former is not None:
        _close({"_id": former["_id"]}, "its address belongs to another account now", now)
        collection(Mailbox).update_one(
            {"_id": former["_id"]}, {"$set": {"email": f"former:{former['_id']}"}}
        )


def _connect(mailbox_id: str, facts: Row, now: datetime) -> None:
    """Set what is known of a mailbox; if it was closed, it is watched from now on."""
    mailboxes = collection(Mailbox)
    mailboxes.update_one({"_id": mailbox_id}, {"$set": {**facts, "updated_at": now}})
    mailboxes.update_one(
        {"_id": mailbox_id, "is_connected": {"$ne": True}},
        {
            "$set": {
                "is_connected": True,
                "watched_from": now,
                "analysis_due_at": now,
                # What was to be done when it closed is looked at again.
                "work_due_at": now,
            },
            "$unset": {"disconnected_reason": ""},
        },
    )


def _close(whose: Row, reason: str, now: datetime | None) -> None:
    changes: Row = {"is_connected": False, "disconnected_reason": {"$literal": reason}}
    collection(Mailbox).update_many(
        {**whose, "is_connected": True},
        [
            {
                "$set": {
                    **changes,
                    "updated_at": now or "$$NOW",
                    "analysis_due_at": "$$REMOVE",
                    "work_due_at": "$$REMOVE",
                }
            }
        ],
    )


def _introduce(user_id: str, email: str, display_name: str, home_account_id: str) -> None:
    """Set what the user lacks; an address or account that another user has stays theirs."""
    known = {
        "email": email,
        "microsoft_id": home_account_id.partition(".")[0],
        "display_name": display_name,
    }
    for field, value in known.items():
        missing = {"_id": user_id, field: {"$in": [None, ""]}}
        try:
            collection(User).update_one(missing, {"$set": {field: value}})
        except DuplicateKeyError:
            continue
