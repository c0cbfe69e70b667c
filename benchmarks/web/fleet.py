"""A fleet to look at: users in every state, their connections, dead letters, waiting jobs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from models import AuditLog, Connection, DeadLetter, Subscription, SyncRun, SyncState, User
from pipeline.dispatch import send_many
from pipeline.jobs.sending import Send
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection
from pipeline.sync.lanes import DATA

TENANTS = 20
DEAD_LETTERS, CAUSES = 2_000, 40
AUDIT_ROWS = 5_000
_BATCH = 5_000
#: Nine of ten are as they should be.
_STATUSES = (
    *("idle",) * 90,
    *("queued", "syncing", "rate_limited", "error") * 2,
    *("needs_reauth", "paused"),
)


def fill(users: int, jobs: int) -> None:
    """Make `users` with all their sources, and let `jobs` wait.  The same each time."""
    chance = random.Random(4)
    now = datetime.now(UTC)
    _insert(User, users, lambda n: _user(n, now))
    _insert(Connection, users, lambda n: _connection(n, now))
    for source in SOURCES:
        _insert(SyncState, users, lambda n: _state(n, source, now, chance))  # noqa: B023
        _insert(SyncRun, users, lambda n: _run(n, source, now))  # noqa: B023
    _insert(Subscription, users, lambda n: _subscription(n, now))
    _insert(DeadLetter, DEAD_LETTERS, lambda n: _letter(n, now))
    _insert(AuditLog, AUDIT_ROWS, lambda n: _audit(n, now))
    send_many(_jobs(users, jobs))


def user_id(number: int) -> str:
    """Return the id of a user."""
    return f"user-{number:06}"


def _insert(model: Any, count: int, row: Callable[[int], Row]) -> None:
    numbers = iter(range(count))
    while batch := [row(number) for number in islice(numbers, _BATCH)]:
        collection(model).insert_many(batch, ordered=False)


def _jobs(users: int, count: int) -> Iterator[Send]:
    """Yield different jobs: syncs of every source, then advances, then notifications."""
    made = 0
    while made < count:
        user = user_id(made % users)
        turn = made // users
        tenant = f"tenant-{made % users % TENANTS}"
        if turn < len(DATA.sources):
            yield Send("sync", (user, DATA.sources[turn]), tenant_id=tenant)
        elif turn == len(DATA.sources):
            yield Send("advance_graph", (user,), tenant_id=tenant)
        else:
            yield Send("notification", (f"subscription-{made}",), tenant_id=tenant)
        made += 1


def _user(number: int, now: datetime) -> Row:
    tenant = f"tenant-{number % TENANTS}"
    return {"_id": user_id(number), "tenant_id": tenant, "created_at": now - timedelta(days=9)}


def _connection(number: int, now: datetime) -> Row:
    return {
        "user_id": user_id(number),
        "provider": "google",
        "broker": "own",
        "status": "needs_reauth" if number % 100 == 0 else "active",
        "credentials": {"key_id": "bench", "ciphertext": b"\0" * 200},
        "granted_scopes": [],
        "version": 1,
        "account_id": str(number),
        "email": f"person-{number}@example.com",
        "connected_at": now - timedelta(days=9),
    }


def _state(number: int, source: str, now: datetime, chance: random.Random) -> Row:
    status = chance.choice(_STATUSES)
    fresh = now - timedelta(seconds=chance.uniform(0, 1000))
    failed = status in ("error", "needs_reauth")
    error = {"class": "Transient", "message": "events.list was answered 503", "at": now}
    return {
        "user_id": user_id(number),
        "tenant_id": f"tenant-{number % TENANTS}",
        "source": source,
        "status": status,
        "streams": {"items": {"name": "items", "generation": 1, "cursor": {"token": "x" * 60}}},
        "seq": 120,
        "projections": {"graph": {"seq": 120, "failures": 0}},
        "fence": 3,
        "next_due_at": None if status in ("paused", "needs_reauth") else now + timedelta(hours=1),
        "fresh_as_of": fresh,
        "stale_at": fresh + timedelta(seconds=900),
        "last_attempt_at": fresh,
        "last_success_at": fresh,
        "consecutive_failures": int(failed),
        "last_error": error if failed else None,
        "records": 120,
        "rejected": 0,
    }


def _run(number: int, source: str, now: datetime) -> Row:
    return {
        "user_id": user_id(number),
        "source": source,
        "outcome": "succeeded",
        "started_at": now - timedelta(seconds=number % 900),
        "seconds": 0.4,
        "calls": 2,
        "created": 0,
        "updated": 1,
        "deleted": 0,
        "unchanged": 0,
        "rejected": 0,
        "error": None,
        "expires_at": now + timedelta(days=14),
    }


def _subscription(number: int, now: datetime) -> Row:
    return {
        "_id": f"bench-{number}",
        "user_id": user_id(number),
        "tenant_id": f"tenant-{number % TENANTS}",
        "provider": "google",
        "source": "google_calendar",
        "stream": "calendars",
        "status": "active",
        "target": "https://headrace.example/webhooks/google/calendar",
        "resource_id": f"resource-{number}",
        "expires_at": now + timedelta(days=6),
        "created_at": now - timedelta(days=1),
        "renewed_at": now - timedelta(days=1),
        "last_event_at": now - timedelta(minutes=number % 600),
        "events": number % 50,
        "gaps": 0,
        "error_count": 0,
    }


def _letter(number: int, now: datetime) -> Row:
    name = f"{number:016x}"
    user = user_id(number)
    return {
        "_id": name,
        "job_id": f"sync:google_tasks:{user}",
        "status": "open",
        "times": 1,
        "counted": [name],
        "first_seen_at": now - timedelta(minutes=number),
        "last_seen_at": now - timedelta(minutes=number),
        "message_id": name,
        "job": "sync",
        "queue": "data-sync",
        "tenant_id": f"tenant-{number % TENANTS}",
        "user_id": user,
        "args": f'["{user}","google_tasks"]'.encode(),
        "fingerprint": f"cause{number % CAUSES:04}",
        "reason": "permanent",
        "error": {"class": "Permanent", "message": f"tasks.list was answered {number % CAUSES}"},
        "traceback": "in pages\n" * 20,
        "release": "0.1.0",
        "attempts": 1,
        "deaths": 0,
    }


def _audit(number: int, now: datetime) -> Row:
    return {
        "at": now - timedelta(minutes=number),
        "actor": f"operator-{number % 7}",
        "action": "queue.pause",
        "target": "queue graph",
        "role": "operator",
        "origin": "web",
        "outcome": "done",
        "correlation_id": "bench",
        "details": {"reason": "a move"},
    }
