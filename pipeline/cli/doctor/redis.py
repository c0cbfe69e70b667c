"""Redis: version, what it does when it is full, and whether somebody works on the queues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis.exceptions import RedisError, ResponseError

from pipeline.cli.doctor.findings import Finding, note, ok, wrong
from pipeline.jobs.names import queues_with_jobs
from pipeline.jobs.reading import depths
from pipeline.jobs.workers import serving, workers
from pipeline.probes import quick_redis, redis_problem

OLDEST_VERSION = 7


def check() -> Iterator[Finding]:
    """Yield what there is to say about Redis."""
    if problem := redis_problem():
        yield wrong("Redis", problem, "start it, or correct REDIS_URL; `headrace up` brings one")
        return
    try:
        with quick_redis() as client:
            yield _version(client)
            yield _eviction(client)
        yield from _queues()
    except RedisError as error:
        yield wrong("Redis", f"refuses a command: {type(error).__name__}", "look into its log")


def _version(client: Any) -> Finding:
    info = client.info("server")
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < OLDEST_VERSION:
        return wrong("Redis", f"is version {version}", "install Redis 7 or Valkey")
    return ok("Redis", f"answers, version {version}")


def _eviction(client: Any) -> Finding:
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "unknown")
    except ResponseError:
        policy = "unknown"
    if policy == "unknown":
        mend = "look it up where Redis is managed: it must be noeviction"
        return note("Redis eviction", "it does not tell its policy", mend)
    if policy != "noeviction":
        mend = "CONFIG SET maxmemory-policy noeviction, and the same in its configuration"
        return wrong("Redis eviction", f"{policy}: when it is full, it drops queued jobs", mend)
    return ok("Redis eviction", "noeviction")


def _queues() -> Iterator[Finding]:
    names = [queue.name for queue in queues_with_jobs()]
    known = workers()
    for name, depth in depths(names).items():
        if depth.waiting and not serving(name, known):
            text = f"{depth.waiting} jobs wait, and no worker serves it"
            yield wrong(f"queue {name}", text, f"start one: dramatiq actors -Q {name}")
