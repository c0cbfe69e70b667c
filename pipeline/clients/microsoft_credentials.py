"""Microsoft credentials of a connection: the token cache of MSAL, kept by one worker at a time.

The cache is the connection's encrypted credentials.  It is stored after everything
that MSAL does, since refresh tokens roll, and only over the version that was read:
a worker that was overtaken uses what the other one has stored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.clients import microsoft_login
from pipeline.clients.credentials import (
    mark,
    read_secrets,
    reloaded,
    save_refreshed,
    single_flight,
)
from pipeline.clients.microsoft_scopes import RESERVED
from pipeline.config import settings
from pipeline.errors import ReauthRequired
from pipeline.stores import Row

if TYPE_CHECKING:
    from msal import SerializableTokenCache

#: A token that ends sooner than this is renewed first, as MSAL does it too.
_SOONEST_END_SECONDS = 300.0


class MicrosoftCredentials:
    """Access to Microsoft for one connection; its renewals are shared by all workers.

    Belongs to one thread.  `connection` is the row as last read or written.
    """

    def __init__(self, connection: Row) -> None:
        """Raises ReauthRequired (and marks the connection) if what is stored cannot be read."""
        self._use(connection)

    @property
    def ends_at(self) -> datetime:
        """When the access token ends."""
        return datetime.fromtimestamp(self._ends_at, UTC)

    def token(self) -> str:
        """Return an access token that serves for some minutes; see `renew` for what it raises."""
        if self._ends_at - time.time() < _SOONEST_END_SECONDS:
            self.renew()
        return self._token

    def renew(self) -> None:
        """Take the access token that another worker just got, else get a new one.

        Raises ReauthRequired (and marks the connection), Misconfigured, RateLimited
        or Transient.
        """
        with single_flight(self.connection):
            before = self._token
            self._use(reloaded(self.connection))
            if self._token == before or self._ends_at - time.time() < _SOONEST_END_SECONDS:
                self._renew_at_microsoft()

    def _use(self, connection: Row) -> None:
        self._cache = cache_of(read_secrets(connection))
        self._token, self._ends_at = newest_token(self._cache)
        self.connection = connection

    def _renew_at_microsoft(self) -> None:
        granted = self.connection.get("granted_scopes") or []
        scopes = [scope for scope in granted if scope not in RESERVED]

        def question(application: Any) -> dict[str, Any] | None:
            account = next(iter(application.get_accounts()), None)
            answer: dict[str, Any] | None = application.acquire_token_silent_with_error(
                scopes, account, force_refresh=True
            )
            return answer

        try:
            # No other scopes are asked for: one that was not consented to would fail it.
            answer = microsoft_login.ask("the token refresh", self._cache, question)
        except ReauthRequired as refused:
            if not self._overtaken():
                mark(self.connection, "needs_reauth", str(refused))
                raise
            return
        self._save(answer)

    def _save(self, answer: Mapping[str, Any]) -> None:
        secrets = secrets_of(self._cache)
        granted = str(answer.get("scope") or "").split()
        changes = refresh_fields(answer) | ({"granted_scopes": granted} if granted else {})
        self._use(save_refreshed(self.connection, secrets, changes))

    def _overtaken(self) -> bool:
        """Return whether somebody else has got a newer token, and use it if so."""
        version = self.connection["version"]
        self._use(reloaded(self.connection))
        return bool(self.connection["version"] != version)


def cache_of(secrets: Row) -> SerializableTokenCache:
    """Return MSAL's cache from what a connection stores.  Raises ReauthRequired without one."""
    from msal import SerializableTokenCache

    cache = SerializableTokenCache()
    try:
        cache.deserialize(secrets["token_cache"])
    except (KeyError, TypeError, ValueError):
        raise ReauthRequired("the connection holds no token cache of Microsoft's") from None
    return cache


def secrets_of(cache: SerializableTokenCache) -> Row:
    """Return what a connection stores of MSAL's cache."""
    return {"token_cache": cache.serialize()}


def newest_token(cache: SerializableTokenCache) -> tuple[str, float]:
    """Return the access token that ends last, and when, in seconds since 1970; or ("", 0)."""
    tokens = cache.search(cache.CredentialType.ACCESS_TOKEN)
    ends = [(float(token["expires_on"]), str(token["secret"])) for token in tokens]
    ends_at, token = max(ends, default=(0.0, ""))
    return token, ends_at


def refresh_fields(answer: Mapping[str, Any]) -> Row:
    """Return what a connection says of tokens that have just come: their end, and the next look."""
    now = datetime.now(UTC)
    return {
        "token_expires_at": now + timedelta(seconds=float(answer.get("expires_in", 0))),
        "refresh_due_at": now + timedelta(minutes=settings().microsoft_token_refresh_minutes),
        "refresh_failures": 0,
    }
