"""Records that can be found: events and mails of users, of one tenant and another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from models import User
from models.record import record_id
from pipeline.projections.search.advance import owners, write
from pipeline.projections.search.documents import change_of
from pipeline.projections.search.stores import end, under_way
from pipeline.stores import collection

CALENDAR, MAIL = "google_calendar", "google_gmail"
BUDGET = "Budget für Mäuse & 1 < 2"


def event(title: str, day: int = 4, **more: Any) -> dict[str, Any]:
    """Return an event of May 2026, with a guest."""
    guest = {"email": "grace@guests.example", "displayName": "Grace"}
    start = {"dateTime": f"2026-05-{day:02}T09:00:00Z"}
    return {"summary": title, "start": start, "attendees": [guest], **more}


def mail(subject: str, snippet: str) -> dict[str, Any]:
    """Return a mail in a thread."""
    headers = [{"name": "Subject", "value": subject}]
    return {"threadId": "t1", "snippet": snippet, "payload": {"headers": headers}}


def known(user_id: str, tenant_id: str = "acme") -> None:
    """Have a user."""
    row = {"_id": user_id, "tenant_id": tenant_id, "created_at": datetime.now(UTC)}
    collection(User).replace_one({"_id": user_id}, row, upsert=True)


def found(user_id: str, source: str, items: dict[str, dict[str, Any] | None], seq: int = 1) -> None:
    """Have items of a user be found, by their ids; None: not any more."""
    stream = "events/c1" if source == CALENDAR else "messages"
    records = [
        {
            "_id": record_id(user_id, source, stream, item_id),
            "user_id": user_id,
            "source": source,
            "stream": stream,
            "item_id": item_id,
            "item": item,
            "deleted_at": None if item else datetime.now(UTC),
            "seq": seq,
        }
        for item_id, item in items.items()
    ]
    owner = owners({user_id})[user_id]
    write([change for record in records if (change := change_of(record, owner))])


def seed() -> None:
    """Have ada and bob of acme, and eve of globex, each with a budget."""
    for user_id, tenant_id in (("ada", "acme"), ("bob", "acme"), ("eve", "globex")):
        known(user_id, tenant_id)
        found(user_id, CALENDAR, {f"e-{user_id}": event(BUDGET)})
    text = "The budget of the fiscal year is attached, with a draft of the review."
    found("ada", MAIL, {"m-ada": mail("Fiscal review", text)})


def nothing_is_filled() -> None:
    """Have no index be under way, as is so once the first one is whole."""
    if (begun := under_way()) is not None:
        end(begun)
