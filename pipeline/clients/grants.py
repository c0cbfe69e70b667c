"""Grants as they come and go: stored after consent, revoked when the user leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from models import Connection
from pipeline.clients.credentials import DISCONNECTED, read_secrets, replacement
from pipeline.config import settings
from pipeline.errors import ReauthRequired
from pipeline.stores import Row, collection

#: What goes with the credentials once they are forgotten.
_OF_CREDENTIALS = ("credentials", "granted_scopes", "token_expires_at")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user has granted at a provider just now.

    `account_id` is the provider's id of the person, `email` the address in lower case,
    empty if there is none that is sure.  `secrets` are, of Google, client_id,
    client_secret, token, expiry, and refresh_token unless Google kept to the one that
    it gave before; of Microsoft the token cache.  `fields` are others of the
    connection.  What follows is known of Microsoft's accounts: see AccountFacts.
    """

    account_id: str
    email: str
    secrets: Mapping[str, str]
    scopes: tuple[str, ...]
    provider: str = "google"
    fields: Mapping[str, Any] = field(default_factory=dict)
    display_name: str = ""
    directory_id: str = ""
    time_zone: str = ""

    @property
    def lasts(self) -> bool:
        """Whether it outlives its access token by itself."""
        return bool(self.secrets.get("refresh_token") or self.secrets.get("token_cache"))


def store(user_id: str, known: Row | None, grant: Grant, now: datetime) -> bool:
    """Put `grant` in the place of `known`, the user's connection as it was read.

    A grant that does not last keeps the refresh token of `known`.  Returns False,
    and changes nothing, if somebody has changed the connection since.
    """
    secrets = dict(grant.secrets)
    if known is not None and not grant.lasts:
        # Not piling up: Google lets the oldest of a hundred refresh tokens die silently.
        # https://developers.google.com/identity/protocols/oauth2#expiration
        # An older token that is replaced is not revoked, though: Google revokes the whole
        # grant of account and client by any of its tokens, and with it the new one.
        # https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
        secrets["refresh_token"] = read_secrets(known)["refresh_token"]
    account = {"account_id": grant.account_id} | ({"email": grant.email} if grant.email else {})
    whose = {"user_id": user_id, "provider": grant.provider}
    known_now = {**account, **grant.fields}
    update = replacement(whose, "own", secrets, grant.scopes, now, known_now)
    connections = collection(Connection)
    if known is not None:
        same = {"_id": known["_id"], "version": known["version"]}
        return bool(connections.update_one(same, update).modified_count)
    try:
        # Where there is a connection by now, this inserts a second one, which the index refuses.
        connections.update_one({**whose, "version": {"$exists": False}}, update, upsert=True)
    except DuplicateKeyError:
        return False
    return True


def has_lasting_access(connection: Row | None) -> bool:
    """Return whether Google need give no other refresh token: ours lives, and is of our client.

    Of a connection whose account is not known, it might be another account's.
    """
    if connection is None or connection["status"] != "active" or not connection.get("account_id"):
        return False
    try:
        return bool(read_secrets(connection).get("client_id") == settings().google_client_id)
    except ReauthRequired:  # it cannot be read, and is marked so
        return False


def end(user_id: str, provider: str) -> Row | None:
    """Mark the user's connection as disconnected and return it; None if there is none.

    From here on nothing is read by it: whoever refreshes its token just now cannot
    save what comes.  Its credentials stay until `forget_credentials`.
    """
    return collection(Connection).find_one_and_update(
        {"user_id": user_id, "provider": provider},
        {
            "$set": {"status": DISCONNECTED, "status_reason": DISCONNECTED},
            "$unset": {"refresh_due_at": ""},
            "$inc": {"version": 1},
        },
        return_document=ReturnDocument.AFTER,
    )


def forget_credentials(connection: Row) -> None:
    """Delete the credentials of a disconnected connection, unless it was made again meanwhile."""
    same = {name: connection[name] for name in ("_id", "connected_at")}
    collection(Connection).update_one(
        {**same, "status": DISCONNECTED},
        {"$unset": dict.fromkeys(_OF_CREDENTIALS, ""), "$inc": {"version": 1}},
    )


def others_with_account(connection: Row) -> int:
    """Return how many other connections that serve have the same account at the provider."""
    if not connection.get("account_id"):
        return 0
    same = {name: connection[name] for name in ("provider", "account_id")}
    return collection(Connection).count_documents(
        {**same, "status": "active", "_id": {"$ne": connection["_id"]}}
    )
