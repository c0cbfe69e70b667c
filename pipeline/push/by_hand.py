"""What a person may do to a subscription: have it renewed, or stopped for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models import Subscription
from pipeline.errors import Gone, Permanent
from pipeline.push import rows
from pipeline.push.kinds import kind_of
from pipeline.push.plan import REFUSED
from pipeline.push.requests import request
from pipeline.stores import Row, collection


def renew(subscription_id: str) -> Row:
    """Have a subscription renewed now, or tried again; one that was stopped by hand comes back.

    Raises Gone if there is no such row, Permanent if it is over.
    """
    row = _found(subscription_id)
    now = datetime.now(UTC)
    if row.get("held_by"):
        change: Row = {"$set": {"forget_at": now + timedelta(days=1)}, "$unset": {"held_by": ""}}
    elif row["status"] in ("active", *REFUSED):
        change = {"$set": {"retry_at": now}}
    else:
        raise Permanent(f"the subscription is {row['status']}; there is nothing to renew")
    collection(Subscription).update_one({"_id": subscription_id}, change)
    request(row["user_id"], row["source"], row["tenant_id"])
    return row


def stop(subscription_id: str, by: str) -> Row:
    """Have a subscription stopped, and no other made for its stream until somebody renews it.

    Raises Gone if there is no such row, Permanent if it is over.
    """
    row = _found(subscription_id)
    if row["status"] not in ("active", *REFUSED):
        raise Permanent(f"the subscription is {row['status']}; there is nothing to stop")
    now = datetime.now(UTC)
    rows.begin_stop(row, now)
    held = {"held_by": by, "retry_at": now}
    collection(Subscription).update_one({"_id": subscription_id}, {"$set": held})
    rows.settle(kind_of(row["source"]), row["user_id"])
    request(row["user_id"], row["source"], row["tenant_id"])
    return row


def _found(subscription_id: str) -> Row:
    row = collection(Subscription).find_one({"_id": subscription_id})
    if row is None:
        raise Gone("there is no such subscription; it may have been forgotten")
    return row
