"""Mails that have landed, as syncs land them: of people who write to each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from models import Record, SyncState, User
from models.record import record_id
from pipeline.stores import Row, collection

TENANT = "bench"
#: In every mail there is; so a search for it counts them all.
EVERYWHERE = "benchmark"
_SOURCE, _STREAM = "google_gmail", "messages"
_PER_USER, _BATCH = 500, 2000
_WORDS = tuple(
    f"{first}{last}"
    for first in ("bal", "cor", "den", "fil", "gor", "hel", "jin", "kar", "lum", "mor", "net")
    for last in ("ado", "bane", "cine", "dor", "el", "fane", "gist", "ible", "kin", "lor", "mont")
)


def land(count: int) -> list[str]:
    """Land so many mails, and return the users who got them."""
    chance, now = random.Random(7), datetime.now(UTC)
    users = [f"bench-{number:05}" for number in range(-(-count // _PER_USER))]
    collection(User).insert_many(
        [{"_id": user, "tenant_id": TENANT, "created_at": now} for user in users]
    )
    rows = _rows(users, count, chance, now)
    while batch := list(islice(rows, _BATCH)):
        collection(Record).insert_many(batch, ordered=False)
    return users


def start_over() -> None:
    """Have no projection know of anything that has landed."""
    for user, in_all in _landed().items():
        state = {"user_id": user, "source": _SOURCE}
        fresh = {"seq": in_all, "tenant_id": TENANT, "projections": {"search": {"seq": 0}}}
        collection(SyncState).update_one(state, {"$set": fresh}, upsert=True)


def _landed() -> dict[str, int]:
    counted = [{"$group": {"_id": "$user_id", "seq": {"$max": "$seq"}}}]
    return {row["_id"]: row["seq"] for row in collection(Record).aggregate(counted)}


def _rows(users: list[str], count: int, chance: random.Random, now: datetime) -> Iterator[Row]:
    for number in range(count):
        user, item_id = users[number // _PER_USER], f"m{number}"
        yield {
            "_id": record_id(user, _SOURCE, _STREAM, item_id),
            "user_id": user,
            "source": _SOURCE,
            "stream": _STREAM,
            "item_id": item_id,
            "item": _mail(number, chance, now),
            "generation": 1,
            "seq": number % _PER_USER + 1,
            "landed_at": now,
            "deleted_at": None,
        }


def _mail(number: int, chance: random.Random, now: datetime) -> dict[str, Any]:
    def words(most: int) -> str:
        return " ".join(chance.choices(_WORDS, k=chance.randint(3, most)))

    received = now - timedelta(minutes=number)
    people = (f"Person {n} <p{n}@bench.example>" for n in chance.sample(range(1000), 3))
    headers = {"From": next(people), "To": ", ".join(people), "Subject": words(8)}
    return {
        "id": f"m{number}",
        "threadId": f"t{number // 4}",
        "snippet": f"{EVERYWHERE} {words(30)}",
        "internalDate": str(int(received.timestamp() * 1000)),
        "payload": {"headers": [{"name": n, "value": v} for n, v in headers.items()]},
    }
