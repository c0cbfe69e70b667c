"""A user whose data is pushed, and the questions that the tests ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from models import Subscription, SyncState, WebhookDelivery
from pipeline import push
from pipeline.connect import connect_google
from pipeline.jobs.reading import page
from pipeline.push.rows import hash_of
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection, redis_client
from pipeline.sync import engine, states
from pipeline.sync.report import SyncReport

CALENDAR, GMAIL = "google_calendar", "google_gmail"
TOPIC = "projects/headrace-sandbox/topics/gmail"
ACCOUNT = "pubsub-push@headrace-sandbox.iam.gserviceaccount.com"
#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9"
SIZE = {"calendars": 2, "events": 6, "messages": 4}


@dataclass
class Pushed:
    """One connected sandbox user."""

    user_id: str
    sandbox: SandboxClient

    def sync(self, source: str) -> SyncReport:
        """Sync now, as its job does."""
        report = engine.sync(self.user_id, source, force=True)
        push.after_sync(report)
        return report

    def subscribe(self, source: str = CALENDAR) -> str:
        """Run the job that looks after the subscriptions."""
        return push.subscribe(self.user_id, source)

    def state(self, source: str = CALENDAR) -> Row:
        """Return the sync state."""
        found = collection(SyncState).find_one({"user_id": self.user_id, "source": source})
        assert found is not None
        return found

    def rows(self, source: str = CALENDAR, **wanted: Any) -> list[Row]:
        """Return the subscriptions, oldest first."""
        key = {"user_id": self.user_id, "source": source} | wanted
        return list(collection(Subscription).find(key).sort("created_at", 1))

    def statuses(self, source: str = CALENDAR) -> list[str]:
        """Return the statuses of all subscriptions, sorted."""
        return sorted(row["status"] for row in self.rows(source))

    def change(self, source: str = CALENDAR, **fields: Any) -> None:
        """Write into all of a source's subscriptions."""
        key = {"user_id": self.user_id, "source": source}
        collection(Subscription).update_many(key, {"$set": fields})

    def age(self, by: timedelta, source: str = CALENDAR) -> None:
        """Let `by` pass for the subscriptions and the state: everything is so much earlier."""
        times = ("expires_at", "created_at", "renewed_at", "live_since", "retry_at")
        times += ("last_event_at", "silent_after", "doubted_at", "doubted_since")
        for row in self.rows(source):
            moved = {name: row[name] - by for name in times if row.get(name)}
            collection(Subscription).update_one({"_id": row["_id"]}, {"$set": moved})
        state = self.state(source)
        moved = {"live_push_until": state.get("live_push_until")}
        moved["push.due_at"] = state.get("push", {}).get("due_at")
        moved = {name: moment - by for name, moment in moved.items() if moment}
        collection(SyncState).update_one({"_id": state["_id"]}, {"$set": moved})

    def watches(self) -> list[dict[str, Any]]:
        """Return what the provider still pushes."""
        return [watch for watch in self.sandbox.watches(self.user_id) if not watch["ended"]]

    def calls(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(row["calls"] for row in self.sandbox.usage() if row["method"] == method)


def connected(sandbox: SandboxClient, user_id: str = "ada", **size: int) -> Pushed:
    """Make a sandbox user and connect it."""
    sandbox.add_user(user_id, seed=7, **(SIZE | size))
    connect_google(user_id, sandbox.authorized_user(user_id))
    return Pushed(user_id, sandbox)


def put_event(user: Pushed, calendar: str, event_id: str) -> None:
    """Make an event in the sandbox."""
    moment = {"dateTime": "2099-01-01T10:00:00Z", "timeZone": "UTC"}
    event = {"id": event_id, "status": "confirmed", "start": moment, "end": moment}
    user.sandbox.put(user.user_id, CALENDAR, f"events/{calendar}", event_id, event)


def jobs(name: str) -> list[tuple[Any, ...]]:
    """Return the arguments of all jobs called `name` that wait."""
    found = page(None, "waiting", limit=1000).jobs
    return sorted(job.arguments or () for job in found if job.job == name)


def no_jobs() -> None:
    """Forget all jobs and quotas."""
    redis_client().flushdb()


def subscription(channel_id: str = "c1", user_id: str = "u", **fields: Any) -> Row:
    """Store an active subscription, whose token is `secret`, and return it."""

    now = datetime.now(UTC)
    row: Row = {
        "_id": channel_id,
        "user_id": user_id,
        "tenant_id": "default",
        "provider": "google",
        "source": CALENDAR,
        "stream": "events/c",
        "status": "active",
        "target": f"{NOWHERE}/webhooks/google/calendar",
        "resource_id": "r1",
        "token_hash": hash_of("secret"),
        "expires_at": now + timedelta(days=7),
        "created_at": now,
        "renewed_at": now,
        "live_since": now,
        "retry_at": now + timedelta(days=6),
        "events": 0,
        "gaps": 0,
        "error_count": 0,
    } | fields
    collection(Subscription).insert_one(row)
    return row


def state_of(user_id: str = "u", source: str = CALENDAR, **fields: Any) -> Row:
    """Store a sync state that is not due, and return it."""

    states.ensure(user_id, source, datetime.now(UTC))
    later = {"next_due_at": datetime.now(UTC) + timedelta(hours=1), "requested_at": None}
    key = {"user_id": user_id, "source": source}
    collection(SyncState).update_one(key, {"$set": later | fields})
    found = collection(SyncState).find_one(key)
    assert found is not None
    return found


def deliveries(**wanted: Any) -> list[Row]:
    """Return what was kept of notifications."""
    return list(collection(WebhookDelivery).find(wanted))
