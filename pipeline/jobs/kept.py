"""Everything that is kept of jobs in Redis, read at once for those who check it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from pipeline.jobs import layout

_FIELDS = ("job_id", "queue", "lane", "state", "deliveries", "busy")
_BATCH = 1000
#: First parts of the names of keys that are neither of one run nor of a queue.
_OTHERS = (
    *("live", "paused", "workers", "worker", "starts", "cancel", "outbox", "once"),
    *("suspects", "sweeping", "ended"),
)

Job = dict[str, str]


@dataclass
class Queue:
    """The parts of one queue."""

    states: dict[str, set[str]] = field(default_factory=dict)
    lanes: dict[str, list[str]] = field(default_factory=dict)
    rings: dict[str, list[str]] = field(default_factory=dict)
    tenants: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    busy: dict[str, int] = field(default_factory=dict)


@dataclass
class Kept:
    """Everything that is kept of jobs."""

    live: dict[str, str]
    jobs: dict[str, Job] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    running: dict[str, list[str]] = field(default_factory=dict)
    beating: set[str] = field(default_factory=set)
    outbox: list[str] = field(default_factory=list)
    suspects: dict[str, str] = field(default_factory=dict)
    attached: set[tuple[str, str]] = field(default_factory=set)
    """Logs and children: kind and message id."""
    unknown: list[str] = field(default_factory=list)

    def all_in(self, state: str) -> Iterator[tuple[str, str]]:
        """Yield queue and message id of everything in one state's sets."""
        for name, queue in self.queues.items():
            yield from ((name, message_id) for message_id in queue.states.get(state, ()))


def read_all(redis: Redis) -> Kept:
    """Return all of it.  Raises redis.RedisError."""
    kept = Kept(live=_hash(redis, layout.LIVE), suspects=_hash(redis, f"{layout.PREFIX}suspects"))
    kept.beating = set(_texts(redis.zrange(layout.WORKERS, 0, -1)))
    kept.outbox = _texts(redis.lrange(layout.OUTBOX, 0, -1))
    message_ids = []
    for key in redis.scan_iter(match=f"{layout.PREFIX}*", count=_BATCH):
        name = key.decode("utf-8", "surrogateescape").removeprefix(layout.PREFIX)
        head, _, rest = name.partition(":")
        if head == "job":
            message_ids.append(rest)
        elif head == "running":
            kept.running[rest] = _texts(redis.smembers(key))
        elif head in ("log", "children"):
            kept.attached.add((head, rest))
        elif head not in _OTHERS:
            _read_part(redis, kept, key, head, rest)
    _read_jobs(redis, kept, message_ids)
    return kept


def _read_part(redis: Redis, kept: Kept, key: bytes, queue_name: str, name: str) -> None:
    """Read one part of a queue; a key that is none is noted as unknown."""
    queue = kept.queues.setdefault(queue_name, Queue())
    part, _, rest = name.partition(":")
    if name in layout.STATES:
        queue.states[name] = set(_texts(redis.zrange(key, 0, -1)))
    elif part == "lane":
        queue.lanes[rest] = _texts(redis.lrange(key, 0, -1))
    elif part == "lanes":
        queue.rings[rest] = _texts(redis.lrange(key, 0, -1))
    elif name == "tenants":
        queue.tenants = _texts(redis.lrange(key, 0, -1))
    elif name == "closed":
        queue.closed = set(_texts(redis.zrange(key, 0, -1)))
    elif name == "busy":
        queue.busy = {scope: int(count) for scope, count in _hash(redis, key).items()}
    elif name != "until":
        kept.unknown.append(f"{queue_name}:{name}" if name else queue_name)


def _read_jobs(redis: Redis, kept: Kept, message_ids: list[str]) -> None:
    for start in range(0, len(message_ids), _BATCH):
        some = message_ids[start : start + _BATCH]
        with redis.pipeline(transaction=False) as pipe:
            for message_id in some:
                pipe.hmget(layout.job(message_id), _FIELDS)
            for message_id, values in zip(some, pipe.execute(), strict=True):
                kept.jobs[message_id] = dict(
                    zip(_FIELDS, _texts(value or b"" for value in values), strict=True)
                )


def _hash(redis: Redis, key: str | bytes) -> dict[str, str]:
    raw = redis.hgetall(key)
    return dict(zip(_texts(raw.keys()), _texts(raw.values()), strict=True))


def _texts(values: Iterable[Any]) -> list[str]:
    return [value.decode("utf-8", "surrogateescape") for value in values]
