"""What a notification leads to: its state is due now, and its subscription has spoken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from models import Subscription, SyncState, WebhookDelivery
from pipeline.dispatch import send_many
from pipeline.push import gaps, rows
from pipeline.push.kinds import kind_of
from pipeline.push.plan import OVER
from pipeline.push.requests import request
from pipeline.push.rows import LONGEST_LIFE
from pipeline.stores import Row, collection
from pipeline.sync import states
from pipeline.sync.lanes import syncs_of

#: What Microsoft says of a subscription; of one event, `missed`, only that there were changes.
REMOVED, REAUTHORIZE, MISSED = "subscriptionRemoved", "reauthorizationRequired", "missed"
#: Deliveries that one look takes.
_BATCH = 1000


def act_on(subscription_id: str) -> str:
    """Act on what has come in for a subscription and was not acted on; safe to repeat.

    Late, lost, doubled and out of order: the state is due at most once more
    than needed.  Returns what was done, in words.
    """
    row = collection(Subscription).find_one({"_id": subscription_id})
    count = 0
    while deliveries := _open(subscription_id):
        if row is None:
            pass  # its user was forgotten meanwhile
        elif row["status"] == "stopping" or row["status"] in OVER:
            _stop_again(row, deliveries)
        else:
            _follow_lifecycle(row, {d["lifecycle"] for d in deliveries if d.get("lifecycle")})
            _make_due(row)
            gaps.note_events(row, [d for d in deliveries if not d.get("lifecycle")])
        _close(deliveries)
        count += len(deliveries)
    return f"{count} {'notification' if count == 1 else 'notifications'}"


def _open(subscription_id: str) -> list[Row]:
    wanted = {"subscription_id": subscription_id, "open": True}
    return list(collection(WebhookDelivery).find(wanted).sort("received_at", 1).limit(_BATCH))


def _close(deliveries: list[Row]) -> None:
    ids = [delivery["_id"] for delivery in deliveries]
    collection(WebhookDelivery).update_many({"_id": {"$in": ids}}, {"$unset": {"open": ""}})


def _make_due(row: Row) -> None:
    """Have the user synced now; what the notification says beyond that is not used."""
    user_id, source = row["user_id"], row["source"]
    if states.request(user_id, source):
        key = {"user_id": user_id, "source": source}
        pushed: Any = [{"$set": {"pushed_at": "$$NOW"}}]
        collection(SyncState).update_one(key, pushed)
        send_many(syncs_of(user_id, [source], row["tenant_id"]))


def _follow_lifecycle(row: Row, events: set[str]) -> None:
    """Act on what the provider says of the subscription itself; the rest follows as usual.

    https://learn.microsoft.com/graph/change-notifications-lifecycle-events
    """
    now = datetime.now(UTC)
    if REMOVED in events:
        rows.lose(row, "the provider says that it was removed", now)
        rows.settle(kind_of(row["source"]), row["user_id"])
    elif REAUTHORIZE in events:
        renewal: Row = {"$set": {"retry_at": now}}
        collection(Subscription).update_one({"_id": row["_id"]}, renewal)
    if events & {REMOVED, REAUTHORIZE}:
        request(row["user_id"], row["source"], row["tenant_id"])


def _stop_again(row: Row, deliveries: list[Row]) -> None:
    """Have a registration stopped that was thought to be over, or never known to exist."""
    names = [d["resource_id"] for d in deliveries if d.get("resource_id")]
    if row["status"] not in OVER or not names:
        return
    now = datetime.now(UTC)
    known_end = row.get("expires_at")
    end = known_end if known_end and known_end > now else now + LONGEST_LIFE
    changes: Row = {
        "status": "stopping",
        "resource_id": names[-1],
        "expires_at": end,
        "forget_at": end + timedelta(days=1),
        "retry_at": now,
    }
    collection(Subscription).update_one(
        {"_id": row["_id"], "status": row["status"]}, {"$set": changes}
    )
    row |= changes
    request(row["user_id"], row["source"], row["tenant_id"])
