"""The people of a run, connected and synced, and what AI is asked on their behalf."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.chaos.platform.plan import Person, Plan
from benchmarks.chaos.scenes import until
from models import Record, SyncState, User
from pipeline.cli.connecting import look_for_due_now
from pipeline.connect import connect_google
from pipeline.platform import email
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection
from pipeline.sync import states
from pipeline.users.registering import register

_SIZE = {"calendars": 1, "events": 20, "messages": 30, "contacts": 8, "task_lists": 1, "tasks": 6}
_EPOCH = datetime.fromtimestamp(0, UTC)


def connect_all(plan: Plan, sandbox: SandboxClient) -> None:
    """Make and connect everybody, and wait until all has been synced once."""
    for number, person in enumerate(plan.people):
        register(person.user, person.tenant)
        _give_address(person)
        sandbox.add_user(person.user, seed=100 * plan.seed + number, **_SIZE)
        connect_google(person.user, sandbox.authorized_user(person.user))
    look_for_due_now()
    until(lambda: not unsynced(plan.people, _EPOCH), "first syncs")


def _give_address(person: Person) -> None:
    """Let a person get mail at any time of the day."""
    address = {"email": person.address}
    collection(User).update_one({"_id": person.user}, {"$set": address})
    email.update_preferences(person.user, {"quiet_start": "00:00", "quiet_end": "00:00"})


def unsynced(people: Sequence[Person], since: datetime) -> int:
    """Return how many sources were not synced since then, or are followed by what lags."""
    late: Row = {"fresh_as_of": {"$not": {"$gt": since}}}
    lags = [
        {"$expr": {"$gt": ["$seq", {"$ifNull": [f"$projections.{name}.seq", 0]}]}}
        for name in ("graph", "search")
    ]
    busy = {"$or": [late, {"status": {"$ne": "idle"}}, *lags]}
    return collection(SyncState).count_documents(_of(people) | busy)


def sync_again(people: Sequence[Person]) -> None:
    """Have everything be synced now: nobody pushes in these runs."""
    for state in collection(SyncState).find(_of(people), {"user_id": 1, "source": 1}):
        states.request(state["user_id"], state["source"])
    look_for_due_now()


def mail_of(person: Person, number: int) -> Row | None:
    """Return one of a person's mails that have landed."""
    whose = {"user_id": person.user, "source": "google_gmail", "deleted_at": None}
    mails = list(collection(Record).find(whose | {"stream": "messages"}).sort("_id", 1))
    return mails[number % len(mails)] if mails else None


def _of(people: Sequence[Person]) -> Row:
    return {"user_id": {"$in": [person.user for person in people]}}
