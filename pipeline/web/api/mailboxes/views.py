"""How mailboxes and what happens in them are told; addresses masked but for those who may know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from pipeline.mailbox.reading.folders import Counted
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.mailbox.reading.names import sender_of
from pipeline.masking import masked_address
from pipeline.stores import Row

MASKED = "Masked, unless the token has the scope `mailboxes:reveal`."
HIDDEN = "None, unless the token has the scope `mailboxes:reveal`."


class SignatureView(BaseModel):
    """A signature for mail that the user writes."""

    id: str
    name: str
    content: str
    is_default: bool


class SettingsView(BaseModel):
    """What is set for one mailbox."""

    automation_paused: bool
    whitelisted_senders: list[str] = Field(description=MASKED)
    whitelisted_domains: list[str]
    mirror_rules: bool = Field(description="Whether simple rules become inbox rules, too.")
    signatures: list[SignatureView]


class MailboxView(BaseModel):
    """One mailbox."""

    id: str
    user_id: str
    tenant_id: str
    email: str = Field(description=MASKED)
    is_connected: bool
    disconnected_reason: str | None
    automation: str = Field(description="on, paused by its user, or paused by its settings.")
    sync_status: str | None = Field(description="None before there was any sync.")
    subscription_status: str | None = Field(description="None if nothing is pushed.")
    subscription_expires_at: datetime | None
    folders: int
    suggested_patterns: int
    staged: int
    watched_from: datetime = Field(description="Mail received before is never acted upon.")
    last_sync_at: datetime | None
    analysed_at: datetime | None
    analysis_due_at: datetime | None
    time_zone: str | None
    settings: SettingsView


class MailboxList(BaseModel):
    """A page of mailboxes, in the order of their users."""

    mailboxes: list[MailboxView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class FolderView(BaseModel):
    """One folder, as it landed."""

    id: str
    path: str
    well_known: str | None
    is_hidden: bool
    mails: int = Field(description="Mails of it that are kept.")


class FolderList(BaseModel):
    """The folders of a mailbox."""

    folders: list[FolderView]


class SenderView(BaseModel):
    """Who a mail is from."""

    email: str = Field(description=MASKED)
    name: str | None = Field(description=HIDDEN)
    domain: str | None


class EventView(BaseModel):
    """One thing that happened to one mail."""

    id: str
    message_id: str
    event_type: str
    timestamp: datetime
    sender: SenderView
    subject: str | None = Field(description=HIDDEN)
    from_folder: str | None = Field(description="The id of a folder.")
    to_folder: str | None = Field(description="The id of a folder.")
    from_path: str | None = Field(description="None if the folder is gone.")
    to_path: str | None = Field(description="None if the folder is gone.")
    received_at: datetime | None
    time_to_action_seconds: float | None
    importance: str
    has_attachments: bool
    is_read: bool
    is_deleted: bool
    categories: list[str]
    has_list_unsubscribe: bool
    is_newsletter: bool
    is_automated: bool
    automated_by_rule: str | None = Field(description="The rule that did it, if one did.")


class EventList(BaseModel):
    """A page of events, the newest first."""

    events: list[EventView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


_FLAGS = ("has_attachments", "is_read", "is_deleted")
_MARKS = ("has_list_unsubscribe", "is_newsletter", "is_automated")


def mailbox_view(box: MailboxRow, *, reveal: bool) -> MailboxView:
    """Return what is told of a mailbox."""
    row, state, subscription = box.mailbox, box.state or {}, box.subscription or {}
    by = {"user": "paused by its user", "mailbox": "paused by its settings"}
    return MailboxView(
        id=box.id,
        user_id=row["user_id"],
        tenant_id=row["tenant_id"],
        email=row["email"] if reveal else masked_address(row["email"]),
        is_connected=bool(row.get("is_connected")),
        disconnected_reason=row.get("disconnected_reason"),
        automation=by.get(box.paused_by, "on"),
        sync_status=state.get("status"),
        subscription_status=subscription.get("status"),
        subscription_expires_at=subscription.get("expires_at"),
        folders=box.folders,
        suggested_patterns=box.suggested,
        staged=box.staged,
        watched_from=row["watched_from"],
        last_sync_at=row.get("last_sync_at") or state.get("last_success_at"),
        analysed_at=row.get("analysed_at"),
        analysis_due_at=row.get("analysis_due_at"),
        time_zone=row.get("time_zone") or None,
        settings=settings_view(row.get("settings") or {}, reveal=reveal),
    )


def settings_view(row: Row, *, reveal: bool) -> SettingsView:
    """Return what is told of the settings of a mailbox."""
    senders = row.get("whitelisted_senders") or []
    return SettingsView(
        automation_paused=bool(row.get("automation_paused")),
        whitelisted_senders=senders if reveal else [masked_address(one) for one in senders],
        whitelisted_domains=row.get("whitelisted_domains") or [],
        mirror_rules=bool(row.get("mirror_rules")),
        signatures=[_signature(one) for one in row.get("signatures") or ()],
    )


def _signature(row: Row) -> SignatureView:
    return SignatureView(
        id=row["id"],
        name=row["name"],
        content=row.get("content") or "",
        is_default=bool(row.get("is_default")),
    )


def folder_view(counted: Counted) -> FolderView:
    """Return what is told of a folder."""
    folder = counted.folder
    return FolderView(
        id=folder.id,
        path=folder.path,
        well_known=folder.well_known,
        is_hidden=folder.is_hidden,
        mails=counted.mails,
    )


def sender_view(row: Row, *, reveal: bool) -> SenderView:
    """Return who an event or a staged mail is from."""
    sender = row.get("sender") or {}
    email = sender.get("email") or row.get("sender_email") or ""
    return SenderView(
        email=sender_of(row, reveal=reveal),
        name=(sender.get("name") or row.get("sender_name")) if reveal else None,
        domain=sender.get("domain") or email.rpartition("@")[2] or None,
    )


def event_view(row: Row, folders: Mapping[str, str], *, reveal: bool) -> EventView:
    """Return what is told of an event."""
    metadata: Row = row.get("metadata") or {}
    same: dict[str, Any] = {n: row.get(n) for n in ("from_folder", "to_folder", "received_at")}
    flags: dict[str, Any] = {name: bool(row.get(name)) for name in _FLAGS}
    flags |= {name: bool(metadata.get(name)) for name in _MARKS}
    return EventView(
        **same,
        **flags,
        id=str(row["_id"]),
        message_id=row["message_id"],
        event_type=row["event_type"],
        timestamp=row["timestamp"],
        sender=sender_view(row, reveal=reveal),
        subject=row.get("subject") if reveal else None,
        from_path=folders.get(row.get("from_folder") or ""),
        to_path=folders.get(row.get("to_folder") or ""),
        time_to_action_seconds=row.get("time_to_action"),
        importance=row.get("importance") or "normal",
        categories=row.get("categories") or [],
        automated_by_rule=_text(metadata.get("automated_by_rule")),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None
