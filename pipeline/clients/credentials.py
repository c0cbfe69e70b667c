"""The stored grants of users: found, read, replaced, and kept current by one worker at a time.

What a connection stores is encrypted JSON: of Google an OAuth client, its refresh
token and the latest access token, or account ids at `composio`; of Microsoft the
token cache of MSAL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from models import Connection
from pipeline.clients.keyring import Keyring, Unreadable
from pipeline.clients.scopes import missing_scope
from pipeline.config import settings
from pipeline.errors import Permanent, ReauthRequired, Transient
from pipeline.heartbeat import Heartbeat
from pipeline.stores import Row, collection, redis_client

#: How long the lock of a killed worker keeps others from refreshing its connection.
_LOCK_SECONDS = 10.0
#: The status of a connection that its user, or an operator, has ended.
DISCONNECTED = "disconnected"
#: Fields that are about one grant and no other.
_OF_A_GRANT = frozenset(
    (
        "status_reason",
        "refreshed_at",
        "account_id",
        "email",
        "token_expires_at",
        "refresh_due_at",
        "refresh_failures",
    )
)


def find_connection(user_id: str, provider: str) -> Row | None:
    """Return the connection of a user, whatever its status; None if there never was one."""
    return collection(Connection).find_one({"user_id": user_id, "provider": provider})


def load_connection(user_id: str, provider: str, *, leaving: bool = False) -> Row:
    """Return the connection of a user, in one read.

    Raises ReauthRequired if there is none, or it needs its user first.  With
    `leaving`, one that is disconnected serves as long as it has credentials: what
    the provider keeps for us is still to be taken down.
    """
    connection = find_connection(user_id, provider)
    if connection is None:
        raise ReauthRequired(f"there is no {provider} connection")
    status = connection["status"]
    serves = status == "active" or (leaving and status == DISCONNECTED)
    if not serves or not connection.get("credentials"):
        reason = connection.get("status_reason") or status
        raise ReauthRequired(f"the {provider} connection must be made again: {reason}")
    return connection


def check_scopes(connection: Row, source: str) -> None:
    """Raise ReauthRequired that names the scope which `source` needs and was not granted.

    A connection whose scopes are not known yet passes; its first refresh tells them.
    """
    granted = connection.get("granted_scopes")
    missing = missing_scope(granted, source) if granted else None
    if missing is not None:
        raise ReauthRequired(f"{source} needs the scope {missing}")


def store_composio_connection(
    user_id: str, account_ids: Mapping[str, str], now: datetime | None = None
) -> None:
    """Store a grant that Composio holds: its account ids (`ca_…`) by toolkit (`gmail`).

    Raises Permanent if there are none, or one is empty.
    """
    if not account_ids or not all(account_ids.values()):
        raise Permanent("Composio connection: an account id is missing")
    store(user_id, "composio", {"account_ids": dict(account_ids)}, [], now or datetime.now(UTC))


def read_secrets(connection: Row) -> Row:
    """Return what a connection keeps encrypted.

    Raises ReauthRequired if it cannot be read, and marks the connection broken;
    Misconfigured if its key is not in the ring.
    """
    try:
        data = Keyring.from_settings().decrypt(connection["credentials"], _context(connection))
        secrets: Row = json.loads(data)
    except (Unreadable, ValueError):
        reason = "the stored credentials cannot be read"
        mark(connection, "broken", reason)
        raise ReauthRequired(f"{reason}; the user must connect again") from None
    return secrets


def mark(connection: Row, status: str, reason: str) -> None:
    """Set the status of an active connection, unless it was connected anew meanwhile.

    One that is kept alive by jobs is due at once: they let its user know.
    """
    changes: Row = {"status": status, "status_reason": reason}
    if connection.get("refresh_due_at"):
        changes["refresh_due_at"] = datetime.now(UTC)
    collection(Connection).update_one(
        {"_id": connection["_id"], "version": connection["version"], "status": "active"},
        {"$set": changes},
    )


def reloaded(connection: Row) -> Row:
    """Return the connection as it is now, on the same terms as `connection` was loaded.

    Raises ReauthRequired if it does not serve any more.
    """
    leaving = connection["status"] == DISCONNECTED
    return load_connection(connection["user_id"], connection["provider"], leaving=leaving)


def save_refreshed(connection: Row, secrets: Row, changes: Row) -> Row:
    """Store new tokens, unless a newer version is there: then that one counts.

    `changes` are fields that change with them.  Returns the connection as it is now.
    """
    written = {
        "credentials": sealed(connection, secrets),
        "refreshed_at": datetime.now(UTC),
        **changes,
    }
    result = collection(Connection).update_one(
        {"_id": connection["_id"], "version": connection["version"]},
        {"$set": written, "$inc": {"version": 1}},
    )
    if not result.modified_count:
        return reloaded(connection)
    return {**connection, **written, "version": connection["version"] + 1}


@contextmanager
def single_flight(connection: Row) -> Iterator[None]:
    """Let one worker at a time refresh a connection; the others wait, but not for ever."""
    lock = Lock(
        redis_client(),
        f"headrace:refresh:{connection['_id']}",
        timeout=_LOCK_SECONDS,
        blocking_timeout=settings().provider_timeout_seconds,
        sleep=0.05,
        thread_local=False,  # the heartbeat renews it
        raise_on_release_error=False,
    )

    def renew() -> bool:
        try:
            return bool(lock.reacquire())
        except RedisError:  # lost, or Redis is down; whoever comes next finds the newest token
            return False

    try:
        with lock, Heartbeat("refresh-lock", _LOCK_SECONDS / 3, renew):
            yield
    except LockError:
        raise Transient("another worker is refreshing this connection") from None


def store(
    user_id: str,
    broker: str,
    secrets: Mapping[str, Any],
    scopes: list[str],
    now: datetime,
    email: str = "",
) -> None:
    """Make a grant at Google the user's connection, whatever was there before."""
    whose = {"user_id": user_id, "provider": "google"}
    update = replacement(whose, broker, secrets, scopes, now, {"email": email} if email else {})
    collection(Connection).update_one(whose, update, upsert=True)


def replacement(
    whose: Row,
    broker: str,
    secrets: Mapping[str, Any],
    scopes: Iterable[str],
    now: datetime,
    known: Mapping[str, Any],
) -> Row:
    """Return the update that makes the connection of `whose` user an active, new one.

    `known` is what is known of the account and its tokens; what was known of the former
    ones goes.
    """
    forgotten = _OF_A_GRANT - known.keys()
    return {
        "$set": {
            "broker": broker,
            "status": "active",
            "credentials": sealed(whose, secrets),
            "granted_scopes": list(scopes),
            "connected_at": now,
            **known,
        },
        "$unset": dict.fromkeys(forgotten, ""),
        "$inc": {"version": 1},
    }


def sealed(connection: Row, secrets: Mapping[str, Any]) -> Row:
    data = json.dumps(secrets).encode()
    return {**Keyring.from_settings().encrypt(data, _context(connection))}


def _context(connection: Row) -> str:
    return f"{connection['provider']}/{connection['user_id']}"
