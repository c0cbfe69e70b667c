"""Google credentials of a connection, which keep themselves current."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import requests
from google.auth.credentials import TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import reauth
from google.oauth2.credentials import Credentials

from pipeline.clients.authorized_user import email_of, scopes_of, secrets_of
from pipeline.clients.credentials import (
    mark,
    read_secrets,
    reloaded,
    save_refreshed,
    single_flight,
    store,
)
from pipeline.clients.google_errors import classify
from pipeline.config import settings
from pipeline.errors import ReauthRequired, Transient
from pipeline.stores import Row


def store_google_connection(
    user_id: str, authorized_user_info: Mapping[str, Any], now: datetime
) -> None:
    """Store a grant given in Google's authorized-user form; replaces one that is there.

    Raises Permanent that names the field which is missing or wrong, and
    Misconfigured for one whose secrets were blotted out before they came here.
    """
    secrets, scopes = secrets_of(authorized_user_info), scopes_of(authorized_user_info)
    store(user_id, "own", secrets, scopes, now, email_of(authorized_user_info))


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
        with single_flight(self.connection):
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
        self._use(reloaded(self.connection))

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
        granted = scopes or self.connection.get("granted_scopes", [])
        self._use(save_refreshed(self.connection, secrets, {"granted_scopes": granted}))
