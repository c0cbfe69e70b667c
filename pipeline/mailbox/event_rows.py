"""The rows of events: what happened, to which mail, when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pipeline.mailbox.diffing import Change
from pipeline.mailbox.matching import Mail
from pipeline.stores import Row

#: What makes two events one.
IDENTITY = ("user_id", "mailbox_id", "message_id", "event_type", "change_stamp")
#: What an event about a mail that is gone takes over from the one of its arrival.
_LASTING = (
    "internet_message_id",
    "sender",
    "subject",
    "subject_normalized",
    "conversation_id",
    "received_at",
    "importance",
    "has_attachments",
    "categories",
    "metadata",
)


class Stamp(NamedTuple):
    """Whose event it is, which landing it is from, and how long it is kept."""

    user_id: str
    mailbox_id: str
    message_id: str
    seq: int
    now: datetime
    kept: timedelta


def arrived(stamp: Stamp, mail: Mail, at: datetime, *, is_deleted: bool, at_start: bool) -> Row:
    """Return the arrival of a mail, `at_start`: it was there before anybody watched."""
    row = _row(stamp, Change("arrived", None, mail.folder_id), at) | about(mail)
    row["metadata"] |= {"found_at_start": True} if at_start else {}
    return _with_time(row, at) | {"is_read": mail.is_read, "is_deleted": is_deleted}


def changed(
    stamp: Stamp, mail: Mail, change: Change, at: datetime, *, is_deleted: bool, rule_id: str | None
) -> Row:
    """Return what happened to a mail; `rule_id`: a rule did it."""
    row = _row(stamp, change, at) | about(mail)
    row["metadata"] |= {"automated_by_rule": rule_id} if rule_id else {}
    return _with_time(row, at) | {"is_read": mail.is_read, "is_deleted": is_deleted}


def gone(
    stamp: Stamp, change: Change, at: datetime, arrival: Row | None, *, rule_id: str | None
) -> Row:
    """Return the deletion of a mail that is gone, as far as is known of it from its arrival."""
    known = {name: arrival[name] for name in _LASTING if name in arrival} if arrival else {}
    metadata = dict(known.get("metadata") or {})
    metadata.pop("found_at_start", None)
    metadata |= {"automated_by_rule": rule_id} if rule_id else {}
    row = _row(stamp, change, at) | known | {"metadata": metadata, "is_deleted": True}
    return _with_time(row, at) | {"is_read": bool((arrival or {}).get("is_read"))}


def about(mail: Mail) -> Row:
    """Return what an event tells of its mail; never its text."""
    row: dict[str, Any] = {
        "internet_message_id": mail.internet_message_id,
        "sender": {
            "name": mail.sender_name,
            "email": mail.sender_email,
            "domain": mail.sender_domain,
        },
        "subject": mail.subject,
        "subject_normalized": mail.subject_normalized,
        "conversation_id": mail.conversation_id,
        "received_at": mail.received_at,
        "importance": mail.importance,
        "has_attachments": mail.has_attachments,
        "categories": list(mail.categories),
        "metadata": {
            "has_list_unsubscribe": mail.has_list_unsubscribe,
            "is_newsletter": mail.is_newsletter,
            "is_automated": mail.is_automated,
        },
    }
    return {name: value for name, value in row.items() if value is not None}


def _row(stamp: Stamp, change: Change, at: datetime) -> Row:
    row: Row = {
        "user_id": stamp.user_id,
        "mailbox_id": stamp.mailbox_id,
        "message_id": stamp.message_id,
        "event_type": change.type,
        "change_stamp": stamp.seq,
        "timestamp": at,
        "created_at": stamp.now,
        "updated_at": stamp.now,
        "expires_at": at + stamp.kept,
    }
    folders = {"from_folder": change.from_folder, "to_folder": change.to_folder}
    return row | {name: folder_id for name, folder_id in folders.items() if folder_id}


def _with_time(row: Row, at: datetime) -> Row:
    """Add how many seconds after its mail was received it happened; clocks may differ."""
    received_at = row.get("received_at")
    if received_at is None or row["event_type"] == "arrived":
        return row
    return row | {"time_to_action": max(0.0, (at - received_at).total_seconds())}
