"""Users as a host application has them: connected, without a provider that answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models import Connection, SyncState, User
from pipeline.stores import collection
from pipeline.sync import states

SOURCES = ("google_calendar", "google_gmail")


def connected(user_id: str, tenant_id: str = "acme", *sources: str) -> str:
    """Have a user of a tenant with states of these sources, synced a minute ago."""
    now = datetime.now(UTC)
    collection(User).insert_one({"_id": user_id, "tenant_id": tenant_id, "created_at": now})
    collection(Connection).insert_one(
        {
            "user_id": user_id,
            "provider": "google",
            "broker": "own",
            "status": "active",
            "email": "somebody@example.com",
            "credentials": {"key_id": "none", "ciphertext": b"secret"},
            "granted_scopes": [],
            "version": 1,
            "connected_at": now,
        }
    )
    fresh = {"fresh_as_of": now - timedelta(minutes=1), "stale_at": now + timedelta(minutes=10)}
    for source in sources or SOURCES:
        states.ensure(user_id, source, now)
        collection(SyncState).update_one({"user_id": user_id, "source": source}, {"$set": fresh})
    return user_id


def needs_reauth(user_id: str, source: str, why: str = "(invalid_grant)") -> None:
    """Have a source wait for its user."""
    error = {"class": "ReauthRequired", "message": why, "at": datetime.now(UTC)}
    collection(SyncState).update_one(
        {"user_id": user_id, "source": source},
        {"$set": {"status": "needs_reauth", "last_error": error, "next_due_at": None}},
    )
