"""Users that are known before they connect, and the tenant that each belongs to."""

from __future__ import annotations

from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from models import DEFAULT_TENANT, SyncState, User
from pipeline.connect import check_user_id
from pipeline.errors import Permanent
from pipeline.projections import search
from pipeline.stores import Row, collection
from pipeline.sync import erasures
from pipeline.users.errors import Unknown

_LONGEST_TENANT_ID = 200


def check_tenant_id(tenant_id: str) -> None:
    """Raise Permanent if `tenant_id` may not name a tenant: lanes of jobs and pauses hold it."""
    fits = tenant_id.strip() and len(tenant_id) <= _LONGEST_TENANT_ID and tenant_id.isprintable()
    if not fits:
        raise Permanent(
            f"a tenant id is 1 to {_LONGEST_TENANT_ID} printable characters, and not only spaces"
        )


def register(user_id: str, tenant_id: str | None = None, *, only_of: str | None = None) -> bool:
    """Create a user, or give the one that there is to `tenant_id`; safe to repeat.

    Returns whether the user is new.  Without `tenant_id` a new user belongs to
    `only_of`, or to the default tenant, and one that there is stays where it is.
    With `only_of` users of other tenants are none: raises Unknown.  Raises
    Permanent for ids that cannot be any, and for a user who is being erased.
    """
    check_user_id(user_id)
    if tenant_id is not None:
        check_tenant_id(tenant_id)
    erasures.admit(user_id)
    # A new user gets what the query says, too.
    query: Row = {"_id": user_id} | ({} if only_of is None else {"tenant_id": only_of})
    update: Row = {"$setOnInsert": {"created_at": datetime.now(UTC)}}
    if tenant_id is not None:
        update["$set"] = {"tenant_id": tenant_id}
    elif only_of is None:
        update["$setOnInsert"]["tenant_id"] = DEFAULT_TENANT
    try:
        done = collection(User).update_one(query, update, upsert=True)
    except DuplicateKeyError:  # there is one, of another tenant
        raise Unknown(f"there is no user {user_id!r}") from None
    if tenant_id is not None:
        _move(user_id, tenant_id)
    return done.upserted_id is not None


def _move(user_id: str, tenant_id: str) -> None:
    """Have search and the states say the same; killed before this, doing it again mends it."""
    elsewhere = {"user_id": user_id, "tenant_id": {"$ne": tenant_id}}
    if collection(SyncState).find_one(elsewhere, {"_id": 1}) is None:
        return
    search.rebuild_user(user_id)
    collection(SyncState).update_many(elsewhere, {"$set": {"tenant_id": tenant_id}})
