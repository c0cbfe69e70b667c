"""The stored grants of users, and Google credentials that keep them current.

What a connection stores is encrypted JSON: for the broker `own` an OAuth client,
its refresh token and the latest access token; for `composio` account ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import requests
from google.auth.credentials import TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import reauth
from google.oauth2.credentials import Credentials
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from models import Connection
from pipeline.clients.authorized_user import email_of, scopes_of, secrets_of
from pipeline.clients.google_errors import classify
from pipeline.clients.google_scopes import missing_scope
from pipeline.clients.keyring import Keyring, Unreadable
from pipeline.config import settings
from pipeline.errors import Permanent, ReauthRequired, Transient
from pipeline.heartbeat import Heartbeat
from pipeline.stores import Row, collection, redis_client

#: How long the lock of a killed worker keeps others from refreshing its connection.
_LOCK_SECONDS = 10.0
#: The status of a connection that its user, or an operator, has ended.
DISCONNECTED = "disconnected"


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


def store_google_connection(
    user_id: str, authorized_user_info: Mapping[str, Any], now: datetime
) -> None:
    """Store a grant given in Google's authorized-user form; replaces one that is there.

    Raises Permanent that names the field which is missing or wrong, and
    Misconfigured for one whose secrets were blotted out before they came here.
    """
    secrets, scopes = secrets_of(authorized_user_info), scopes_of(authorized_user_info)
    _store(user_id, "own", secrets, scopes, now, email_of(authorized_user_info))


def store_composio_connection(
    user_id: str, account_ids: Mapping[str, str], now: datetime | None = None
) -> None:
    """Store a grant that Composio holds: its account ids (`ca_…`) by toolkit (`gmail`).

    Raises Permanent if there are none, or one is empty.
    """
    if not account_ids or not all(account_ids.values()):
        raise Permanent("Composio connection: an account id is missing")
    _store(user_id, "composio", {"account_ids": dict(account_ids)}, [], now or datetime.now(UTC))


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
    """Set the status of an active connection, unless it was connected anew meanwhile."""
    collection(Connection).update_one(
        {"_id": connection["_id"], "version": connection["version"], "status": "active"},
        {"$set": {"status": status, "status_reason": reason}},
    )


class ConnectionCredentials(Credentials):
    """Access to Google for one connection; its refreshes are shared by all workers.

    Belongs to one thread, like its base class.  `connection` is the row as last read or written.
    """

    def __init__(self, connection: Row) -> None:
        """Raises ReauthRequired (and marks the connection) if what is stored cannot be read."""
        self._use(connection)

    def refresh(self, request: object) -> None:  # noqa: ARG002
        """Take the access token that another worker just got, else get a new one.

        Uses its own transport, with our timeout, instead of `request`.  Raises
        ReauthRequired (and marks the connection), Misconfigured or Transient.
        """
        with _single_flight(self.connection):
            before = self.token
            self._reload()
            if self.token == before or self.token_state is TokenState.INVALID:
                self._refresh_at_google()

    def _use(self, connection: Row) -> None:
        secrets = read_secrets(connection)
        expiry = secrets.get("expiry")
        super().__init__(  # type: ignore[no-untyped-call]
            secrets.get("token"),
            refresh_token=secrets["refresh_token"],
            token_uri=f"{settings().google_oauth_base_url}/token",
            client_id=secrets["client_id"],
            client_secret=secrets["client_secret"],
            # The library compares with naive times.
            expiry=datetime.fromisoformat(expiry).replace(tzinfo=None) if expiry else None,
        )
        self.connection = connection

    def _reload(self) -> None:
        whose = self.connection
        leaving = whose["status"] == DISCONNECTED
        self._use(load_connection(whose["user_id"], whose["provider"], leaving=leaving))

    def _refresh_at_google(self) -> None:
        with requests.Session() as session:
            request = partial(Request(session), timeout=settings().provider_timeout_seconds)
            try:
                # No scopes are sent: one that the user took back would fail every refresh.
                token, refresh_token, expiry, answer, _ = reauth.refresh_grant(  # type: ignore[no-untyped-call]
                    request, self.token_uri, self.refresh_token, self.client_id, self.client_secret
                )
                scopes = answer.get("scope", "").split()
            except GoogleAuthError as error:
                refused = classify(error, "token refresh")
                if isinstance(refused, ReauthRequired):
                    if self._overtaken():
                        return
                    mark(self.connection, "needs_reauth", str(refused))
                raise refused from None
            except (TypeError, ValueError, AttributeError):
                raise Transient("the token endpoint gave no usable answer") from None
        secrets = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": refresh_token,
            "token": token,
            "expiry": f"{expiry.isoformat()}Z" if expiry else None,
        }
        self._save(secrets, scopes)

    def _overtaken(self) -> bool:
        """Return whether somebody else has got a newer token, and use it if so.

        Happens to a worker that was stopped for longer than its lock lives:
        where refresh tokens rotate, the one that it read is refused.
        """
        version = self.connection["version"]
        self._reload()
        return bool(self.connection["version"] != version)

    def _save(self, secrets: Row, scopes: list[str]) -> None:
        """Store new tokens, unless a newer version is there: then that one counts."""
        connection = self.connection
        changes = {
            "credentials": _sealed(connection, secrets),
            "granted_scopes": scopes or connection.get("granted_scopes", []),
            "refreshed_at": datetime.now(UTC),
        }
        result = collection(Connection).update_one(
            {"_id": connection["_id"], "version": connection["version"]},
            {"$set": changes, "$inc": {"version": 1}},
        )
        if result.modified_count:
            self._use({**connection, **changes, "version": connection["version"] + 1})
        else:
            self._reload()


@contextmanager
def _single_flight(connection: Row) -> Iterator[None]:
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


def _store(
    user_id: str,
    broker: str,
    secrets: Mapping[str, Any],
    scopes: list[str],
    now: datetime,
    email: str = "",
) -> None:
    whose = {"user_id": user_id, "provider": "google"}
    update = replacement(whose, broker, secrets, scopes, now, {"email": email} if email else {})
    collection(Connection).update_one(whose, update, upsert=True)


def replacement(
    whose: Row,
    broker: str,
    secrets: Mapping[str, Any],
    scopes: Iterable[str],
    now: datetime,
    account: Mapping[str, str],
) -> Row:
    """Return the update that makes the connection of `whose` user an active, new one.

    `account` is what is known of the account; what was known of the former one goes.
    """
    forgotten = {"status_reason", "refreshed_at", "account_id", "email"} - account.keys()
    return {
        "$set": {
            "broker": broker,
            "status": "active",
            "credentials": _sealed(whose, secrets),
            "granted_scopes": list(scopes),
            "connected_at": now,
            **account,
        },
        "$unset": dict.fromkeys(forgotten, ""),
        "$inc": {"version": 1},
    }


def _sealed(connection: Row, secrets: Mapping[str, Any]) -> Row:
    data = json.dumps(secrets).encode()
    return {**Keyring.from_settings().encrypt(data, _context(connection))}


def _context(connection: Row) -> str:
    return f"{connection['provider']}/{connection['user_id']}"
