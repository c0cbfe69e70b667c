"""Connecting users: the user, the grant, and a sync state per source, due at once.

Disconnecting ends it in steps that may each be repeated: `remove_connection` stops
every sync, then what the provider keeps for us is taken down, then `revoke_grant`.
Records and cursors stay: who connects the same account again goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from redis.exceptions import RedisError

from models import DEFAULT_TENANT, SyncState, User
from pipeline import dispatch
from pipeline.clients import google_oauth, grants
from pipeline.clients.credentials import (
    DISCONNECTED,
    check_scopes,
    find_connection,
    load_connection,
    read_secrets,
    store_composio_connection,
)
from pipeline.clients.google_credentials import store_google_connection
from pipeline.clients.grants import Grant
from pipeline.clients.scopes import missing_scope
from pipeline.errors import Gone, Permanent, ReauthRequired, Transient
from pipeline.jobs.sending import Send
from pipeline.sources import PUSHED_SOURCES, SOURCES
from pipeline.stores import Row, collection
from pipeline.sync import erasures, reauth, states

log = logging.getLogger(__name__)

#: Which toolkit of Composio serves which source: https://docs.composio.dev/toolkits
COMPOSIO_TOOLKITS = {
    "googlecalendar": "google_calendar",
    "gmail": "google_gmail",
    "googlecontacts": "google_contacts",
    "googletasks": "google_tasks",
}

_LONGEST_USER_ID = 200
#: A connection that others change again and again while a grant is stored is somebody's mistake.
_MOST_TRIES = 5

#: How revoking a grant ended: "shared" grants are left to the other users of the account,
#: "kept" ones were not to be revoked, the credentials of "unreadable" ones are lost, and the
#: user of "reconnected" ones has come back meanwhile.
Revocation = Literal["revoked", "gone", "shared", "composio", "unreadable", "kept", "reconnected"]


class OtherAccount(Permanent):
    """The user's copy is of another account of the provider; mixing two helps nobody."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The sources that a grant opened, and those that are wanted and that it does not allow."""

    opened: list[str]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What a disconnect came to: the sources that stopped, and how revoking the grant ended."""

    sources: list[str]
    revocation: Revocation


def check_user_id(user_id: str) -> None:
    """Raise Permanent if `user_id` may not name a user: job ids and log lines hold it."""
    if not user_id.strip() or len(user_id) > _LONGEST_USER_ID or not user_id.isprintable():
        raise Permanent(
            f"a user id is 1 to {_LONGEST_USER_ID} printable characters, and not only spaces"
        )


def _check_may_connect(user_id: str) -> None:
    check_user_id(user_id)
    erasures.admit(user_id)


def connect_google(user_id: str, authorized_user_info: Mapping[str, Any]) -> list[str]:
    """Connect `user_id` by a grant in Google's authorized-user form; safe to repeat.

    Returns the sources that the granted scopes allow.  Raises Permanent that
    names a field which is missing or wrong.
    """
    _check_may_connect(user_id)
    now = datetime.now(UTC)
    store_google_connection(user_id, authorized_user_info, now)
    return _allowed_sources(user_id, list(SOURCES), now)


def connect_composio(user_id: str, account_ids: Mapping[str, str]) -> list[str]:
    """Connect `user_id` by Composio's account ids, by toolkit; returns the sources."""
    _check_may_connect(user_id)
    now = datetime.now(UTC)
    store_composio_connection(user_id, account_ids, now)
    sources = [name for toolkit, name in COMPOSIO_TOOLKITS.items() if toolkit in account_ids]
    return _allowed_sources(user_id, sources, now)


def connect_grant(
    user_id: str,
    grant: Grant,
    asked: Collection[str],
    *,
    tenant_id: str = DEFAULT_TENANT,
    other_account: bool = False,
) -> Connected:
    """Connect `user_id` by what was granted at Google just now; safe to repeat.

    `asked` are the sources that the user agreed to here; those that were open
    before count too.  A user who is new belongs to `tenant_id`.  Nothing is stored
    if the grant allows none of them.  Raises OtherAccount, unless `other_account`
    says that the copy is to become that of another one, and ReauthRequired if
    access would end within the hour.
    """
    _check_may_connect(user_id)
    wanted = [name for name in SOURCES if name in {*asked, *_open_sources(user_id)}]
    opened = [name for name in wanted if missing_scope(grant.scopes, name) is None]
    done = Connected(opened, [name for name in wanted if name not in opened])
    if not opened:
        return done
    now = datetime.now(UTC)
    _replace_connection(user_id, grant, now, other_account=other_account)
    _open(user_id, opened, now, tenant_id)
    reauth.wait_for_user(user_id, done.missing, "its scope was not granted")
    return done


def start_syncing(user_id: str, sources: Collection[str]) -> bool:
    """Have workers subscribe to and sync these sources now; False if Redis does not answer.

    Then the next ticks see to it: the states are due, and not subscribed to.
    """
    tenant_id = str((collection(User).find_one({"_id": user_id}) or {}).get("tenant_id", ""))
    jobs = [("sync", name) for name in sources]
    jobs += [("subscribe", name) for name in sources if name in PUSHED_SOURCES]
    try:
        dispatch.send_many(Send(job, (user_id, name), tenant_id=tenant_id) for job, name in jobs)
    except (RedisError, Transient) as error:
        log.warning("connected, but nothing was queued", extra={"reason": type(error).__name__})
        return False
    return True


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
        sources=_sources_of(provider),
        revocation=revoke_grant(connection) if revoke else _forget(connection, "kept"),
    )


def remove_connection(user_id: str, provider: str) -> Row:
    """Stop every sync of the connection at once and return its row, still with credentials.

    Raises Gone if there is none.  Runs under way can write nothing more.
    """
    connection = grants.end(user_id, provider)
    if connection is None:
        raise Gone(f"there is no {provider} connection")
    reauth.wait_for_user(user_id, _sources_of(provider), reauth.DISCONNECTED)
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


def _sources_of(provider: str) -> list[str]:
    return [name for name, source in SOURCES.items() if source.provider == provider]


def _open_sources(user_id: str) -> list[str]:
    """Return the Google sources that the user has opened and not disconnected."""
    google = {"$in": _sources_of("google")}
    ended = {"last_error.message": reauth.DISCONNECTED}
    whose: Row = {"user_id": user_id, "source": google, "$nor": [ended]}
    return list(collection(SyncState).distinct("source", whose))


def _replace_connection(user_id: str, grant: Grant, now: datetime, *, other_account: bool) -> None:
    for _ in range(_MOST_TRIES):
        known = find_connection(user_id, "google")
        changes_account = known is not None and not _is_same_account(known, grant)
        if changes_account and not other_account:
            raise OtherAccount("this is another account than the one connected before")
        if not grant.lasts and (changes_account or not grants.has_lasting_access(known)):
            raise ReauthRequired("Google gave no lasting access")
        if changes_account:
            # First: killed after it, no cursor of the former account is left to go on from.
            reauth.start_over(user_id, _sources_of("google"))
        if grants.store(user_id, known, grant, now):
            return
    raise Transient("the connection is being changed by somebody else")


def _is_same_account(connection: Row, grant: Grant) -> bool:
    """Return whether it is the same account, as far as is known: `headrace connect` knows little.

    An address may pass from one account to another, so the account's id decides.
    """
    account_id, email = connection.get("account_id"), connection.get("email")
    if account_id:
        return bool(account_id == grant.account_id)
    return not email or not grant.email or bool(email == grant.email)


def _allowed_sources(user_id: str, sources: list[str], now: datetime) -> list[str]:
    """Open those of `sources` that the stored connection allows, and return them."""
    connection = load_connection(user_id, "google")
    allowed = []
    for source in sources:
        try:
            check_scopes(connection, source)
        except ReauthRequired:
            continue  # not granted: there is nothing to keep fresh
        allowed.append(source)
    _open(user_id, allowed, now, DEFAULT_TENANT)
    return allowed


def _open(user_id: str, sources: list[str], now: datetime, tenant_id: str) -> None:
    collection(User).update_one(
        {"_id": user_id},
        {"$setOnInsert": {"tenant_id": tenant_id, "created_at": now}},
        upsert=True,
    )
    for source in sources:
        states.ensure(user_id, source, now)
