"""Connecting users: the user, the grant, and a sync state per source, due at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from models import DEFAULT_TENANT, User
from pipeline.clients.credentials import (
    check_scopes,
    load_connection,
    store_composio_connection,
    store_google_connection,
)
from pipeline.errors import Permanent, ReauthRequired
from pipeline.sources import SOURCES
from pipeline.stores import collection
from pipeline.sync import states

#: Which toolkit of Composio serves which source: https://docs.composio.dev/toolkits
COMPOSIO_TOOLKITS = {
    "googlecalendar": "google_calendar",
    "gmail": "google_gmail",
    "googlecontacts": "google_contacts",
    "googletasks": "google_tasks",
}


_LONGEST_USER_ID = 200


def check_user_id(user_id: str) -> None:
    """Raise Permanent if `user_id` may not name a user: job ids and log lines hold it."""
    if not user_id.strip() or len(user_id) > _LONGEST_USER_ID or not user_id.isprintable():
        raise Permanent(
            f"a user id is 1 to {_LONGEST_USER_ID} printable characters, and not only spaces"
        )


def connect_google(user_id: str, authorized_user_info: Mapping[str, Any]) -> list[str]:
    """Connect `user_id` by a grant in Google's authorized-user form; safe to repeat.

    Returns the sources that the granted scopes allow.  Raises Permanent that
    names a field which is missing or wrong.
    """
    check_user_id(user_id)
    now = datetime.now(UTC)
    store_google_connection(user_id, authorized_user_info, now)
    return _open_sources(user_id, list(SOURCES), now)


def connect_composio(user_id: str, account_ids: Mapping[str, str]) -> list[str]:
    """Connect `user_id` by Composio's account ids, by toolkit; returns the sources."""
    check_user_id(user_id)
    now = datetime.now(UTC)
    store_composio_connection(user_id, account_ids, now)
    sources = [name for toolkit, name in COMPOSIO_TOOLKITS.items() if toolkit in account_ids]
    return _open_sources(user_id, sources, now)


def _open_sources(user_id: str, sources: list[str], now: datetime) -> list[str]:
    collection(User).update_one(
        {"_id": user_id},
        {"$setOnInsert": {"tenant_id": DEFAULT_TENANT, "created_at": now}},
        upsert=True,
    )
    connection = load_connection(user_id, "google")
    opened = []
    for source in sources:
        try:
            check_scopes(connection, source)
        except ReauthRequired:
            continue  # not granted: there is nothing to keep fresh
        states.ensure(user_id, source, now)
        opened.append(source)
    return opened
