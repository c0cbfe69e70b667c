"""What the demo asks of AI and mails to a user, once there is something to ask about."""

from __future__ import annotations

from datetime import UTC, datetime

from models import Record, SyncState
from models.user import DEFAULT_TENANT as TENANT
from pipeline.config import settings
from pipeline.platform import ai, email
from pipeline.stores import collection

_BY = "headrace up"
_SOURCE = "google_gmail"
_NEEDED = (_SOURCE, "google_calendar")


def is_ready(user_id: str) -> bool:
    """Return whether the user's mail and calendar have been synced once."""
    wanted = {"user_id": user_id, "source": {"$in": list(_NEEDED)}}
    fresh = collection(SyncState).count_documents(wanted | {"fresh_as_of": {"$ne": None}})
    return fresh == len(_NEEDED)


def ask(user_id: str) -> str | None:
    """Have the user's longest thread be summarized and categorized; return where that is seen.

    None if there is no mail.
    """
    thread = _longest_thread(user_id)
    if thread is None:
        return None
    entity = ("thread", f"{_SOURCE}:{thread}")
    for kind in ("generate-summary", "categorize"):
        ai.ask(TENANT, kind, entity=entity, user_id=user_id, by=_BY)
    return f"{settings().public_base_url}/admin/ai, `headrace ai list`"


def mail_digest(user_id: str) -> bool:
    """Have the user's digest of today be sent now; False if there is nothing to tell."""
    # Somebody is there to see it, whatever the user's clock says.
    email.update_preferences(user_id, {"quiet_start": "00:00", "quiet_end": "00:00"})
    return email.make_digest(user_id, now=datetime.now(UTC), by=_BY) is not None


def _longest_thread(user_id: str) -> str | None:
    wanted = {"user_id": user_id, "source": _SOURCE, "stream": "messages", "deleted_at": None}
    rows = collection(Record).aggregate(
        [
            {"$match": wanted},
            {"$group": {"_id": "$item.threadId", "mails": {"$sum": 1}}},
            {"$sort": {"mails": -1, "_id": 1}},
            {"$limit": 1},
        ]
    )
    return next((str(row["_id"]) for row in rows if row["_id"]), None)
