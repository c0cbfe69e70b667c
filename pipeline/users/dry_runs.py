"""Dry runs that somebody has asked for, and what they found: kept for a while, to be looked at."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.stores import redis_client
from pipeline.sync.landing import Counts
from pipeline.users.acting import dry_run
from pipeline.users.errors import NotNow

#: A person waits for it.
LIMIT_SECONDS = 20.0
#: Data goes on changing: what was found is soon of no interest.
KEPT_SECONDS = 900
#: A process that dies in the middle holds up the next dry run for no longer than this.
_RUNS_SECONDS = 60
_NAMESPACE = "headrace:dry-runs:"


@dataclass(frozen=True, slots=True)
class Found:
    """What a sync of `source` would have changed at `at`, and what finding out has cost.

    Not `complete`: time was up first.
    """

    source: str
    at: datetime
    by: str
    counts: Counts
    calls: int
    units: int
    seconds: float
    complete: bool


def try_out(user_id: str, source: str, by: str) -> Found:
    """Run a sync that writes nothing, and remember what it would have changed.

    Calls the provider, for LIMIT_SECONDS or so.  Raises Unknown, NotNow while the
    same runs already, and what the provider raises.
    """
    lock = f"{_NAMESPACE}{source}:running:{user_id}"
    if not redis_client().set(lock, 1, nx=True, ex=_RUNS_SECONDS):
        raise NotNow(f"a dry run of {source} is under way; its result will be here soon")
    try:
        at = datetime.now(UTC)
        done = dry_run(user_id, source, limit_seconds=LIMIT_SECONDS)
        seconds = (datetime.now(UTC) - at).total_seconds()
        found = Found(
            source, at, by, done.counts, done.calls, done.units, round(seconds, 2), done.complete
        )
        _keep(user_id, found)
        return found
    finally:
        redis_client().delete(lock)


def tried(user_id: str, sources: list[str]) -> dict[str, Found]:
    """Return the newest dry run of each of these sources, of those that are not forgotten."""
    if not sources:
        return {}
    rows = redis_client().mget([_key(user_id, source) for source in sources])
    return {source: _read(row) for source, row in zip(sources, rows, strict=True) if row}


def forget(user_id: str, sources: list[str]) -> None:
    """Forget what was found of a user."""
    if sources:
        redis_client().delete(*(_key(user_id, source) for source in sources))


def _keep(user_id: str, found: Found) -> None:
    text = json.dumps(asdict(found) | {"at": found.at.isoformat()})
    redis_client().set(_key(user_id, found.source), text, ex=KEPT_SECONDS)


def _read(text: bytes | str) -> Found:
    row = json.loads(text)
    row |= {"at": datetime.fromisoformat(row["at"]), "counts": Counts(**row["counts"])}
    return Found(**row)


def _key(user_id: str, source: str) -> str:
    # The user comes last: it may hold colons.
    return f"{_NAMESPACE}{source}:{user_id}"
