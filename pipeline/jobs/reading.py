"""Reading the history of jobs: single ones, lists, and how deep the queues are.

Nothing here looks through all keys, or fetches more than it was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.jobs import layout
from pipeline.jobs.entries import LISTED, Entry, parse, printable
from pipeline.jobs.walking import Place, Shelf, Test, walk
from pipeline.queues import QUEUES
from pipeline.stores import redis_client

#: The states that `depths` counts, each by the size of its sorted set.
_COUNTED = ("waiting", "running", "delayed", "failed", "completed")
#: How many runs of one job id are told of.
_MOST_RUNS = 20


@dataclass(frozen=True, slots=True)
class Depth:
    """Jobs of one queue by state; failed ones as far as history keeps them.

    `oldest_seconds` is how long the longest waiting one has waited.  `completed` is what history
    keeps; the totals are what ever ended so, in the life of this Redis.
    """

    waiting: int
    running: int
    delayed: int
    failed: int
    oldest_seconds: float
    completed: int = 0
    completed_total: int = 0
    failed_total: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of jobs; `next` is what the next part begins after, None at the end.

    `ids_only` are the queues and states of which a search has looked at the job ids alone.
    """

    jobs: list[Entry]
    next: Place | None
    ids_only: tuple[Shelf, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a job has logged."""

    at: datetime | None
    level: str
    text: str
    fields: dict[str, str]


def get(message_id: str) -> Entry | None:
    """Return one run of a job, or None if history does not have it (any more)."""
    redis = redis_client()
    raw: Any = redis.hgetall(layout.job(message_id))
    if not raw:
        return None
    fields = {name.decode("utf-8", "replace"): value for name, value in raw.items()}
    queue, state = (fields.get(name, b"").decode("utf-8", "replace") for name in ("queue", "state"))
    score: Any = redis.zscore(layout.of_queue(queue, state), message_id)
    return parse(message_id, fields, score)


def find(identifier: str) -> list[Entry]:
    """Return the run with this message id; or the runs of this job id, what is alive first.

    Empty if there is none.
    """
    if (entry := get(identifier)) is not None:
        return [entry]
    first = alive(identifier)
    shelves = [(queue, state) for queue in QUEUES for state in ("completed", "failed")]
    ended = walk(shelves, [Test("is", identifier, ("job_id",))], _MOST_RUNS)
    return [*([first] if first else []), *load(ended)]


def alive(job_id: str) -> Entry | None:
    """Return the run of a job id that waits, is delayed or runs, or None."""
    message_id: Any = redis_client().hget(layout.LIVE, job_id)
    return get(message_id.decode()) if message_id else None


def runs(job_id: str, queue: str, limit: int = _MOST_RUNS) -> list[Entry]:
    """Return the newest runs of a job id that have ended, as far as history keeps them."""
    shelves = [(queue, state) for state in ("completed", "failed")]
    return load(walk(shelves, [Test("is", job_id, ("job_id",))], limit))


def page(queue: str | None, state: str | None, *, limit: int, before: Place | None = None) -> Page:
    """Return the next `limit` jobs behind `before`, of all queues or states where None is given.

    Newest first; delayed ones come last, soonest first.
    """
    queues, states = [queue] if queue else list(QUEUES), [state] if state else layout.STATES
    shelves = [(queue, state) for queue in queues for state in states]
    return page_of(walk(shelves, (), limit + 1, before), limit)


def page_of(places: Sequence[Place], limit: int) -> Page:
    """Return the first `limit` of `places`; that there are more says that a page follows."""
    shown = places[:limit]
    return Page(load(shown), shown[-1] if len(places) > limit else None)


def load(places: Sequence[Place]) -> list[Entry]:
    """Return the jobs at these places, without their tracebacks; those that are gone are not."""
    pipe: Any = redis_client().pipeline(transaction=False)
    for place in places:
        pipe.hmget(layout.job(place.message_id), LISTED)
    entries = []
    for place, values in zip(places, pipe.execute(), strict=True):
        fields = {n: v for n, v in zip(LISTED, values, strict=True) if v is not None}
        if fields:
            # It may have gone on between the two looks; then its time is not known here.
            moved = fields.get("state") != place.state.encode()
            entries.append(parse(place.message_id, fields, None if moved else place.score_ms))
    return entries


def children(message_id: str) -> list[Entry]:
    """Return the jobs that this one sent, as far as history keeps them: at most 50."""
    ids: Any = redis_client().lrange(layout.children(message_id), 0, -1)
    return load([Place("", 0, raw.decode()) for raw in ids])


def log_lines(message_id: str) -> list[LogLine]:
    """Return the newest log lines of a job, oldest first: at most 200."""
    raw: Any = redis_client().lrange(layout.log(message_id), 0, -1)
    return [_log_line(line) for line in raw]


def _log_line(raw: bytes) -> LogLine:
    """Return a line; what cannot be read is shown as it is."""
    text = raw.decode("utf-8", "replace")
    try:
        line = json.loads(text)
        at = datetime.fromtimestamp(line["at"] / 1000, UTC)
        fields = {printable(str(n)): printable(str(v)) for n, v in line.get("fields", {}).items()}
        return LogLine(at, printable(str(line["level"])), printable(str(line["text"])), fields)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError):
        return LogLine(None, "", printable(text), {})


def depth(queue: str) -> Depth:
    """Return how deep one queue is."""
    return depths([queue])[queue]


def depths(queues: Iterable[str]) -> dict[str, Depth]:
    """Return how deep each of `queues` is, all in one round trip."""
    names = list(queues)
    pipe: Any = redis_client().pipeline(transaction=False)
    pipe.time()
    pipe.hgetall(layout.ENDED)
    for queue in names:
        for state in _COUNTED:
            pipe.zcard(layout.of_queue(queue, state))
        pipe.zrange(layout.of_queue(queue, "waiting"), 0, 0, withscores=True)
    (seconds, microseconds), totals, *answers = pipe.execute()
    now_ms = seconds * 1000 + microseconds / 1000
    depths = {}
    per_queue = len(_COUNTED) + 1
    for position, queue in enumerate(names):
        *counts, oldest = answers[per_queue * position : per_queue * (position + 1)]
        waited_ms = max(0.0, now_ms - oldest[0][1]) if oldest else 0.0
        ended = {
            f"{state}_total": int(totals.get(f"{queue}:{state}".encode(), 0))
            for state in ("completed", "failed")
        }
        by_state = dict(zip(_COUNTED, counts, strict=True))
        depths[queue] = Depth(**by_state, oldest_seconds=waited_ms / 1000, **ended)
    return depths
