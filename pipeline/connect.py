"""Connecting users: the user, the grant, and a sync state per source, due at once.

Of Microsoft also the mailbox, which is what people's rules are about.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from models import DEFAULT_TENANT, SyncState, User
from pipeline import dispatch
from pipeline.clients import grants, microsoft_oauth
from pipeline.clients.credentials import (
    check_scopes,
    find_connection,
    load_connection,
    store_composio_connection,
)
from pipeline.clients.google_credentials import store_google_connection
from pipeline.clients.grants import Grant
from pipeline.clients.scopes import missing_scope
from pipeline.errors import Permanent, ReauthRequired, Transient
from pipeline.jobs.sending import Send
from pipeline.mailbox import mailboxes
from pipeline.sources import PUSHED_SOURCES, SOURCES, sources_of
from pipeline.stores import Row, collection
from pipeline.sync import erasures, inactive, lanes, reauth, states

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


class OtherAccount(Permanent):
    """The user's copy is of another account of the provider; mixing two helps nobody."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The sources that a grant opened, and those that are wanted and that it does not allow."""

    opened: list[str]
    missing: list[str]


def check_user_id(user_id: str) -> None:
    """Raise Permanent if `user_id` may not name a user: job ids and log lines hold it."""
    if not user_id.strip() or len(user_id) > _LONGEST_USER_ID or not user_id.isprintable():
        raise Permanent(
            f"a user id is 1 to {_LONGEST_USER_ID} printable characters, and not only spaces"
        )


def _check_may_connect(user_id: str) -> None:
    check_user_id(user_id)
    erasures.admit(user_id)
    inactive.admit(user_id)


def connect_google(user_id: str, authorized_user_info: Mapping[str, Any]) -> list[str]:
    """Connect `user_id` by a grant in Google's authorized-user form; safe to repeat.

    Returns the sources that the granted scopes allow.  Raises Permanent that
    names a field which is missing or wrong.
    """
    _check_may_connect(user_id)
    now = datetime.now(UTC)
    store_google_connection(user_id, authorized_user_info, now)
    return _allowed_sources(user_id, sources_of("google"), now)


def connect_microsoft(user_id: str, grant_info: Mapping[str, Any]) -> list[str]:
    """Connect `user_id` by a refresh token of ours at Microsoft; safe to repeat.

    `grant_info` has `refresh_token`, and `scopes` unless they are all that we ask for.
    Returns the sources that they allow.  Raises Permanent without a refresh token or a
    mailbox, ReauthRequired for one that serves no more.
    """
    refresh_token = grant_info.get("refresh_token")
    if not isinstance(refresh_token, str) or not refresh_token:
        raise Permanent("Microsoft grant: `refresh_token` is missing")
    scopes = grant_info.get("scopes") or []
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise Permanent("Microsoft grant: `scopes` is not a list of scopes")
    _check_may_connect(user_id)
    grant = microsoft_oauth.grant_of(refresh_token, scopes)
    return connect_grant(user_id, grant, sources_of("microsoft"), other_account=True).opened


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
    """Connect `user_id` by what was granted at a provider just now; safe to repeat.

    `asked` are the sources that the user agreed to here; those that were open
    before count too.  A user who is new belongs to `tenant_id`.  Nothing is stored
    if the grant allows none of them.  Raises OtherAccount, unless `other_account`
    says that the copy is to become that of another one, and ReauthRequired if
    access would end within the hour.
    """
    _check_may_connect(user_id)
    ours = {*asked, *_open_sources(user_id, grant.provider)}
    wanted = [name for name in SOURCES if name in ours]
    opened = [name for name in wanted if missing_scope(grant.scopes, name) is None]
    done = Connected(opened, [name for name in wanted if name not in opened])
    if not opened:
        return done
    now = datetime.now(UTC)
    _replace_connection(user_id, grant, now, other_account=other_account)
    _open(user_id, opened, now, tenant_id, grant)
    reauth.wait_for_user(user_id, done.missing, "its scope was not granted")
    return done


def start_syncing(user_id: str, sources: Collection[str]) -> bool:
    """Have workers subscribe to and sync these sources now; False if Redis does not answer.

    Then the next ticks see to it: the states are due, and not subscribed to.
    """
    tenant_id = str((collection(User).find_one({"_id": user_id}) or {}).get("tenant_id", ""))
    jobs = lanes.syncs_of(user_id, sources, tenant_id)
    jobs += [
        Send("subscribe", (user_id, name), tenant_id=tenant_id)
        for name in sources
        if name in PUSHED_SOURCES
    ]
    try:
        dispatch.send_many(jobs)
    except (RedisError, Transient) as error:
        log.warning("connected, but nothing was queued", extra={"reason": type(error).__name__})
        return False
    return True


def _open_sources(user_id: str, provider: str) -> list[str]:
    """Return the sources of a provider that the user has opened and not disconnected."""
    ours = {"$in": sources_of(provider)}
    ended = {"last_error.message": reauth.DISCONNECTED}
    whose: Row = {"user_id": user_id, "source": ours, "$nor": [ended]}
    return list(collection(SyncState).distinct("source", whose))


def _replace_connection(user_id: str, grant: Grant, now: datetime, *, other_account: bool) -> None:
    for _ in range(_MOST_TRIES):
        known = find_connection(user_id, grant.provider)
        changes_account = known is not None and not _is_same_account(known, grant)
        if changes_account and not other_account:
            raise OtherAccount("this is another account than the one connected before")
        if not grant.lasts and (changes_account or not grants.has_lasting_access(known)):
            raise ReauthRequired("the provider gave no lasting access")
        if changes_account:
            # First: killed after it, no cursor of the former account is left to go on from.
            reauth.start_over(user_id, sources_of(grant.provider))
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


def _open(
    user_id: str, sources: list[str], now: datetime, tenant_id: str, grant: Grant | None = None
) -> None:
    collection(User).update_one(
        {"_id": user_id},
        {"$setOnInsert": {"tenant_id": tenant_id, "created_at": now}},
        upsert=True,
    )
    mailbox_id = _open_mailbox(user_id, grant, now) if grant else None
    for source in sources:
        states.ensure(user_id, source, now, mailbox_id=mailbox_id)
    if inactive.is_inactive(user_id):  # since it was asked
        inactive.pause(user_id)


def _open_mailbox(user_id: str, grant: Grant, now: datetime) -> str | None:
    """Open the mailbox of an account that has one which rules act upon, and return its id."""
    if grant.provider != "microsoft":
        return None
    return mailboxes.opened(
        user_id,
        email=grant.email,
        display_name=grant.display_name,
        home_account_id=grant.account_id,
        directory_id=grant.directory_id,
        time_zone=grant.time_zone,
        now=now,
    )
