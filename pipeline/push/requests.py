"""Asking for a look at the subscriptions of a (user, source)."""

from __future__ import annotations

from typing import Any

from models import DEFAULT_TENANT, SyncState
from pipeline.dispatch import send
from pipeline.push.kinds import KINDS
from pipeline.stores import collection


def request(user_id: str, source: str, tenant_id: str = DEFAULT_TENANT) -> bool:
    """Have the subscriptions of (user, source) looked at now; False if it cannot be pushed.

    The wish is kept on the state, so that it outlives the job.
    """
    if source not in KINDS:
        return False
    due: Any = [{"$set": {"push.due_at": "$$NOW"}}]
    collection(SyncState).update_one({"user_id": user_id, "source": source}, due)
    send("subscribe", user_id, source, tenant_id=tenant_id)
    return True
