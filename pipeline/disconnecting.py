"""Disconnecting users, in steps that may each be repeated.

`remove_connection` stops every sync, then what the provider keeps for us is taken
down, then `revoke_grant`.  Records and cursors stay: who connects the same account
again goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.clients import google_oauth, grants
from pipeline.clients.credentials import DISCONNECTED, find_connection, read_secrets
from pipeline.errors import Gone, ReauthRequired
from pipeline.mailbox import mailboxes
from pipeline.sources import sources_of
from pipeline.stores import Row
from pipeline.sync import reauth

#: How revoking a grant ended: "shared" grants are left to the other users of the account,
#: "kept" ones were not to be revoked, the credentials of "unreadable" ones are lost, and the
#: user of "reconnected" ones has come back meanwhile.  Of "forgotten" ones our tokens are
#: deleted; Microsoft takes no consent back but by the user's own hand.
Revocation = Literal[
    "revoked", "gone", "shared", "composio", "unreadable", "kept", "reconnected", "forgotten"
]


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What a disconnect came to: the sources that stopped, and how revoking the grant ended."""

    sources: list[str]
    revocation: Revocation


def in_words(revocation: Revocation) -> str:
    """Return what became of a grant, for the person who wanted it ended."""
    if revocation == "forgotten":
        return "forgotten here; its user can take it back at https://myapps.microsoft.com"
    return revocation


def disconnect(
    user_id: str,
    provider: str,
    *,
    revoke: bool = True,
    before_revoking: Callable[[str, str], object] = lambda _user_id, _provider: None,
) -> Disconnected:
    """End the connection of a user; safe to repeat, also after it failed half-way.

    `before_revoking` takes down what the provider keeps for us, while the
    credentials still serve.  Raises Gone if there is no connection, Transient if
    the provider does not answer: by then every sync has stopped for good.
    """
    connection = remove_connection(user_id, provider)
    before_revoking(user_id, provider)
    # Read again: taking things down may have refreshed the token.
    connection = find_connection(user_id, provider) or connection
    return Disconnected(
        sources=sources_of(provider),
        revocation=revoke_grant(connection) if revoke else _forget(connection, "kept"),
    )


def remove_connection(user_id: str, provider: str) -> Row:
    """Stop every sync of the connection at once and return its row, still with credentials.

    Raises Gone if there is none.  Runs under way can write nothing more.
    """
    connection = grants.end(user_id, provider)
    if connection is None:
        raise Gone(f"there is no {provider} connection")
    reauth.wait_for_user(user_id, sources_of(provider), reauth.DISCONNECTED)
    if provider == "microsoft":
        mailboxes.closed(user_id, reauth.DISCONNECTED)
    return connection


def revoke_grant(connection: Row) -> Revocation:
    """Take back the grant of a connection that was removed, and delete its credentials.

    Raises Transient if the provider does not answer; the credentials stay then.
    """
    if connection["status"] != DISCONNECTED:
        return "reconnected"
    if not connection.get("credentials"):
        return "gone"
    if connection["broker"] == "composio":
        return _forget(connection, "composio")
    if connection["provider"] == "microsoft":
        return _forget(connection, "forgotten")
    if grants.others_with_account(connection):
        # Google revokes all that the account ever granted to our client.
        return _forget(connection, "shared")
    try:
        refresh_token = read_secrets(connection)["refresh_token"]
    except ReauthRequired:
        return _forget(connection, "unreadable")
    return _forget(connection, "revoked" if google_oauth.revoke(refresh_token) else "gone")


def _forget(connection: Row, revocation: Revocation) -> Revocation:
    grants.forget_credentials(connection)
    return revocation
