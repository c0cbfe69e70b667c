"""Jobs of workers that died, and history that has been kept long enough."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from pipeline import metrics
from pipeline.config import settings
from pipeline.jobs import scripts
from pipeline.jobs.layout import PREFIX
from pipeline.queues import QUEUES
from pipeline.stores import impatient_redis_client

log = logging.getLogger(__name__)

#: A job under which this many workers have died does not run again by itself.
MOST_DEATHS = 3
#: Three beats: a worker beats within seconds when Redis is back.  Not the whole timeout, for
#: then every hiccup of Redis would put off the recovery of what died before it by as long.
LISTEN_SECONDS = 15.0
_KILLED = {
    "class": "WorkerKilled",
    "message": f"{MOST_DEATHS} workers died while they ran this job",
    "reason": "killed_worker",
}
_CANCELLED = {"class": "Cancelled", "message": "cancelled by an operator", "reason": "cancelled"}
CANCELLED_JSON = json.dumps(_CANCELLED)


@dataclass(slots=True)
class Recovered:
    """What a sweep found: (queue, recovered | killed_worker | cancelled, seconds of silence)."""

    jobs: list[tuple[str, str, float]] = field(default_factory=list)


def sweep() -> Recovered:
    """Let the jobs of silent workers run again, and trim the history.  Raises RedisError."""
    silence_ms = round(settings().worker_timeout_seconds * 1000)
    killed = json.dumps(_KILLED)
    # Not the client that waits patiently: this is about who was silent when it began.
    client = impatient_redis_client()
    rows = scripts.run("recover", silence_ms, MOST_DEATHS, killed, client=client)
    found = Recovered([(queue.decode(), what.decode(), ms / 1000) for queue, what, ms in rows])
    for queue, what, seconds in found.jobs:
        metrics.JOBS_RECOVERED.labels(queue, what).inc()
        metrics.JOB_RECOVERY_SECONDS.observe(seconds)
    if found.jobs:
        log.warning("jobs of dead workers were taken back", extra={"jobs": len(found.jobs)})
    _trim()
    return found


class Sweeper:
    """Sweeps, one process at a time, and only with its own ear to the ground.

    After Redis was away, or took no writes, all workers look silent.  Whoever sweeps
    must have been able to write to it for long enough that each worker had time to
    say that it lives.
    """

    def __init__(self) -> None:
        self._in_touch_since: float | None = None

    def sweep(self) -> Recovered | None:
        """Sweep if it is this process' turn.  Raises RedisError."""
        try:
            # Not the client that waits patiently: an outage must not go unnoticed.
            # This changes nothing, yet is refused when Redis is full or a replica.
            impatient_redis_client().set(f"{PREFIX}sweeping", 1, xx=True, keepttl=True)
        except RedisError:
            self._in_touch_since = None
            raise
        now = time.monotonic()
        if self._in_touch_since is None:
            self._in_touch_since = now
        if now - self._in_touch_since < min(LISTEN_SECONDS, settings().worker_timeout_seconds):
            return None
        every_ms = round(settings().sweep_seconds * 1000)
        if not impatient_redis_client().set(f"{PREFIX}sweeping", 1, nx=True, px=every_ms):
            return None
        try:
            return sweep()
        except RedisError:
            self._in_touch_since = None
            raise


def _trim() -> None:
    args: list[str | int] = []
    for queue in QUEUES.values():
        kept = (queue.keep_completed, queue.keep_failed)
        args += [queue.name, *(keep.count for keep in kept)]
        args += [round((keep.seconds or 0) * 1000) for keep in kept]
    scripts.run("trim", *args)
