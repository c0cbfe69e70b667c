"""Mail to be sent to a user, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from models import EmailDelivery
from pipeline.platform import email
from pipeline.stores import Row, collection


def tell(user: Row, key: str = "k1", **given: Any) -> str:
    """Queue a notification for the user."""
    context = {"title": "Hello", "message": "Something <b>happened</b>", "kind": "system"}
    values: dict[str, Any] = {"template": "notification", "by": "test"} | given
    return email.queue(
        key,
        tenant_id=user["tenant_id"],
        user_id=user["_id"],
        context=context | {"priority": "normal"},
        **values,
    )


def delivery(delivery_id: str) -> Row:
    row = collection(EmailDelivery).find_one({"_id": delivery_id})
    assert row is not None
    return row


def make_due(delivery_id: str) -> None:
    """Let the time pass until a mail is due."""
    now = datetime.now(UTC)
    collection(EmailDelivery).update_one({"_id": delivery_id}, {"$set": {"due_at": now}})
