"""Which worker processes there are, and what they have in hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.config import settings
from pipeline.jobs import layout
from pipeline.stores import redis_client


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process.  `running` are the message ids of what it has fetched.

    Of one that has been silent for long nothing is known but its id.
    """

    id: str
    beat_age_seconds: float
    host: str = ""
    pid: int = 0
    release: str = ""
    threads: int = 0
    queues: tuple[str, ...] = ()
    running: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Return whether it counts as dead, and its jobs will run elsewhere."""
        return self.beat_age_seconds > settings().worker_timeout_seconds


def workers() -> list[Worker]:
    """Return all worker processes whose jobs have not been taken back, in order of their ids."""
    redis = redis_client()
    beats: Any = redis.zrange(layout.WORKERS, 0, -1, withscores=True)
    pipe: Any = redis.pipeline(transaction=False)
    pipe.time()
    for raw_id, _ in beats:
        pipe.get(layout.worker(raw_id.decode()))
        pipe.smembers(layout.running(raw_id.decode()))
    (seconds, microseconds), *answers = pipe.execute()
    now_ms = seconds * 1000 + microseconds / 1000
    found = []
    for position, (raw_id, beat_ms) in enumerate(beats):
        described, held = answers[2 * position : 2 * position + 2]
        running = sorted(member.decode().partition(" ")[0] for member in held)
        age_seconds = max(0.0, now_ms - beat_ms) / 1000
        found.append(_parsed(raw_id.decode(), age_seconds, described, tuple(running)))
    return sorted(found, key=lambda worker: worker.id)


def serving(queue: str, among: list[Worker]) -> list[Worker]:
    """Return the workers that consume `queue` and live."""
    return [worker for worker in among if queue in worker.queues and not worker.silent]


def _parsed(
    worker_id: str, beat_age_seconds: float, described: bytes | None, running: tuple[str, ...]
) -> Worker:
    try:
        known = json.loads(described or b"{}")
        return Worker(
            worker_id,
            beat_age_seconds,
            host=str(known.get("host", "")),
            pid=int(known.get("pid", 0)),
            release=str(known.get("release", "")),
            threads=int(known.get("threads", 0)),
            queues=tuple(map(str, known.get("queues", ()))),
            running=running,
        )
    except (ValueError, TypeError, AttributeError):  # another release describes itself otherwise
        return Worker(worker_id, beat_age_seconds, running=running)
