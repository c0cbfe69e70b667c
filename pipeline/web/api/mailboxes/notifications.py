"""What users are told, and that they have read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, Field

from pipeline.jobs.redaction import masked
from pipeline.mailbox import notifying
from pipeline.stores import Row
from pipeline.web.api.common import Limit, Payload, UserId, acting, cursor, stores
from pipeline.web.api.mailboxes.common import Reads, Writes
from pipeline.web.api.problems import documented
from pipeline.web.api.users import known_user

router = APIRouter(
    prefix="/users/{user_id:id}/notifications",
    tags=["notifications"],
    responses=documented(404),
    dependencies=[stores("mongodb")],
)


class NotificationView(BaseModel):
    """One thing that a user was told, once."""

    id: str
    type: str
    title: str
    message: str = Field(description="Addresses in it are masked.")
    priority: str = Field(description="low, normal or high.")
    is_read: bool
    read_at: datetime | None
    about: str | None = Field(description="pattern, rule, staged_email or mailbox.")
    about_id: str | None
    created_at: datetime


class NotificationList(BaseModel):
    """A page of notifications, the newest first."""

    notifications: list[NotificationView]
    unread: int
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class ReadWanted(Payload):
    """Which are read."""

    ids: list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]] | None = Field(
        default=None, min_length=1, max_length=200, description="Without it: all."
    )


class MarkedRead(BaseModel):
    """What was done."""

    marked: int = Field(description="So many were unread.")


@router.get("")
def list_notifications(
    caller: Reads,
    user_id: UserId,
    unread_only: Annotated[bool, Query(description="Only those that are not read.")] = False,
    cursor: Annotated[str | None, cursor(r"^[0-9]{1,13}$")] = None,
    limit: Limit = 50,
) -> NotificationList:
    """List what a user was told."""
    known_user(caller, user_id)
    before = datetime.fromtimestamp(int(cursor) / 1000, UTC) if cursor else None
    found = notifying.listed(user_id, unread_only=unread_only, limit=limit + 1, before=before)
    shown = found[:limit]
    after = _place(shown[-1]) if len(found) > limit else None
    unread = notifying.unread_count(user_id)
    return NotificationList(notifications=[_view(row) for row in shown], unread=unread, next=after)


@router.post("/read")
def read_notifications(
    request: Request,
    caller: Writes,
    user_id: UserId,
    wanted: Annotated[ReadWanted, Body(default_factory=ReadWanted)],
) -> MarkedRead:
    """Mark notifications as read."""
    known_user(caller, user_id)
    with acting(request, caller, "notification.read", f"user {user_id}"):
        return MarkedRead(marked=notifying.mark_read(user_id, wanted.ids))


def _place(row: Row) -> str:
    return str(round(row["created_at"].timestamp() * 1000))


def _view(row: Row) -> NotificationView:
    about = row.get("related_entity") or {}
    same: dict[str, Any] = {
        name: row.get(name) for name in ("type", "is_read", "read_at", "created_at", "priority")
    }
    return NotificationView(
        **same,
        id=str(row["_id"]),
        title=masked(row["title"]),
        message=masked(row["message"]),
        about=about.get("entity_type"),
        about_id=str(about["entity_id"]) if about else None,
    )
