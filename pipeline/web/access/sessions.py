"""Sessions: a signed cookie in the browser, and a row in MongoDB that can be taken away.

What MongoDB says is believed for a few seconds, so that a look costs no question
to it.  While it is down the cookie's signature alone suffices to look.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from models import AdminSession, AdminUser
from pipeline.config import settings
from pipeline.errors import Transient
from pipeline.stores import collection
from pipeline.web.access import signing
from pipeline.web.access.accounts import Account
from pipeline.web.access.asking import asking_mongodb
from pipeline.web.access.principal import Principal
from pipeline.web.access.remembered import remembered

Method = Literal["password", "oidc"]

#: Last seen is written no more often than this.
_SEEN_SECONDS = 60.0
_PURPOSE = "session"
_USER_AGENT_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Claim:
    """What a cookie with a good signature says; the session may be over all the same."""

    session_id: str
    name: str


def begin(account: Account, method: Method, user_agent: str) -> str:
    """Make a session and return its cookie's value; its id is new, whatever was there before.

    Raises Transient if MongoDB does not answer.
    """
    session_id, now = secrets.token_urlsafe(32), datetime.now(UTC)
    row = {
        "_id": _hashed(session_id),
        "user": account.name,
        "role": account.role,
        "epoch": account.epoch,
        "method": method,
        "user_agent": user_agent[:_USER_AGENT_CHARACTERS],
        "created_at": now,
        "last_seen_at": now,
        "expires_at": now + timedelta(hours=settings().web_session_hours),
    }
    with asking_mongodb():
        collection(AdminSession).insert_one(row)
    return signing.sign(_PURPOSE, [session_id, account.name])


def claim_of(cookie: str) -> Claim | None:
    """Return what a cookie says, None if it was not signed here or is too old."""
    said = signing.signed(_PURPOSE, cookie, max_age_seconds=cookie_seconds())
    return Claim(*said) if said else None


def cookie_seconds() -> int:
    """Return how long a cookie lasts."""
    return int(settings().web_session_hours * 3600)


def end(session_id: str) -> None:
    """Sign one browser out.  Raises Transient if MongoDB does not answer."""
    remembered.forget(session_id)
    with asking_mongodb():
        collection(AdminSession).delete_one({"_id": _hashed(session_id)})


def look_up(claim: Claim) -> Principal | None:
    """Return who this is, None if the session is over.

    Asks MongoDB; if it does not answer, the result is a viewer who is not `certain`.
    """
    try:
        with asking_mongodb():
            principal = _asked(claim)
    except Transient:
        principal = Principal(claim.name, "viewer", claim.session_id, certain=False)
    remembered.put(claim.session_id, principal)
    return principal


def counts() -> dict[str, int]:
    """Return how many sessions each account has."""
    groups = collection(AdminSession).aggregate(
        [
            {"$match": {"expires_at": {"$gt": datetime.now(UTC)}}},
            {"$group": {"_id": "$user", "sessions": {"$sum": 1}}},
        ]
    )
    return {group["_id"]: group["sessions"] for group in groups}


def _asked(claim: Claim) -> Principal | None:
    now = datetime.now(UTC)
    key = _hashed(claim.session_id)
    row = collection(AdminSession).find_one({"_id": key, "expires_at": {"$gt": now}})
    user = row and collection(AdminUser).find_one({"_id": row["user"]})
    if not row or not user or user["disabled"] or user["epoch"] != row["epoch"]:
        return None
    if now - row["last_seen_at"] > timedelta(seconds=_SEEN_SECONDS):
        collection(AdminSession).update_one({"_id": key}, {"$set": {"last_seen_at": now}})
    return Principal(user["_id"], user["role"], claim.session_id)


def _hashed(session_id: str) -> str:
    """Return the key of a session's row: who can read the rows cannot take a session over."""
    return hashlib.sha256(session_id.encode()).hexdigest()
