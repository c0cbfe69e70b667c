"""Tokens of the API: random, kept as hashes, good for some scopes, and gone once revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pymongo.errors import DuplicateKeyError

from models import ApiToken
from pipeline.errors import Permanent
from pipeline.stores import Row, collection

#: What a token may be good for.
SCOPES = {
    "users:read": "List users, and see how fresh their copies are.",
    "users:write": "Create, connect, disconnect, pause, resume and erase users.",
    "syncs:write": "Sync a user now.",
    "search:read": "Find records by their words, and see titles, parts of texts and people.",
    "ai:read": "See what AI was asked and answered, and what that took.",
    "ai:write": "Ask AI for summaries, translations, categories and the like.",
    "jobs:read": "Find jobs, and see what became of them.",
    "jobs:write": "Cancel, promote and retry jobs.",
    "dead_letters:read": "See what failed for good.",
    "dead_letters:write": "Replay and dismiss dead letters.",
    "mailboxes:read": "See mailboxes, what happens in them, patterns, rules and staged mail.",
    "mailboxes:reveal": "See senders and subjects in full there, which else are masked.",
    "mailboxes:write": "Approve patterns, change rules and settings, rescue mail, undo.",
    "outreach:read": "See campaigns, senders, contacts, messages, and what came of them.",
    "outreach:reveal": "See addresses, names and subjects in full there, which else are masked.",
    "outreach:write": "Change and run campaigns, senders and contacts, pause, resolve, suppress.",
}
#: Lets scanners of source code tell a token from other text, and people too.
PREFIX = "hr_"
_RANDOM_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
#: `last_used_at` is written at most this often.
_NOTED_SECONDS = 60.0


class Created(NamedTuple):
    """A new token: the secret, which is nowhere else, and what is kept of it."""

    secret: str
    row: Row


def create(
    name: str,
    scopes: Collection[str],
    *,
    by: str,
    tenant_id: str | None = None,
    days: float | None = None,
) -> Created:
    """Make a token; without `days` it holds until it is revoked.

    Raises Permanent for a name that is taken or cannot be one, for a scope that
    there is not, and for a tenant without a name.
    """
    if not _NAME.fullmatch(name):
        raise Permanent(
            f"{name!r} cannot name a token: expected 1 to 64 small letters, digits, "
            "dots, dashes or underscores"
        )
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown or not scopes:
        what = f"there is no scope {', '.join(map(repr, unknown))}" if unknown else "no scope given"
        raise Permanent(f"{what}; expected some of {', '.join(SCOPES)}")
    if tenant_id is not None and not tenant_id.strip():
        raise Permanent("a tenant has a name; leave it out for a token that knows of all users")
    secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    now = datetime.now(UTC)
    row: Row = {
        "_id": digest(secret),
        "name": name,
        "scopes": [scope for scope in SCOPES if scope in scopes],
        "tenant_id": tenant_id,
        "created_at": now,
        "created_by": by,
        "expires_at": None if days is None else now + timedelta(days=days),
    }
    try:
        collection(ApiToken).insert_one(row)
    except DuplicateKeyError:
        raise Permanent(
            f"there is, or was, a token {name!r}; names are not used again, "
            "so that the audit says which one it was"
        ) from None
    return Created(secret, row)


def digest(secret: str) -> str:
    """Return what a token is known by.

    A slow hash guards what people can remember; this is as random as the key of a cipher.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def find(token_digest: str) -> Row | None:
    """Return what is kept of a token, whether or not it still holds; None if there is none."""
    return collection(ApiToken).find_one({"_id": token_digest})


def why_refused(row: Row, now: datetime) -> str:
    """Return why a token does not hold (any more): "revoked" or "expired"; empty if it does."""
    if row.get("revoked_at"):
        return "revoked"
    expires_at = row.get("expires_at")
    return "expired" if expires_at and expires_at <= now else ""


def note_use(row: Row, now: datetime) -> None:
    """Note that a token is used, unless that was noted less than a minute ago."""
    before = now - timedelta(seconds=_NOTED_SECONDS)
    noted_at = row.get("last_used_at")
    if noted_at and noted_at > before:
        return
    collection(ApiToken).update_one(
        {"_id": row["_id"], "$or": [{"last_used_at": None}, {"last_used_at": {"$lte": before}}]},
        {"$set": {"last_used_at": now}},
    )


def listed() -> list[Row]:
    """Return every token without its hash, those that were made last first."""
    return list(collection(ApiToken).find({}, {"_id": 0}).sort("created_at", -1))


def revoke(name: str, *, by: str) -> bool:
    """Revoke a token; False if it was already.  Raises Permanent if there is none."""
    tokens = collection(ApiToken)
    if tokens.find_one({"name": name}, {"_id": 1}) is None:
        raise Permanent(f"there is no token {name!r}")
    done = tokens.update_one(
        {"name": name, "revoked_at": None},
        {"$set": {"revoked_at": datetime.now(UTC), "revoked_by": by}},
    )
    return bool(done.modified_count)
