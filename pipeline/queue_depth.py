"""How deep the queues are, read from Redis without scanning anything."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from pipeline.broker import NAMESPACE
from pipeline.stores import redis_client


@dataclass(frozen=True, slots=True)
class Depth:
    """Jobs of one queue by state; `oldest_seconds` is the age of the longest waiting one."""

    waiting: int
    running: int
    delayed: int
    dead: int
    oldest_seconds: float


def depth(queue: str) -> Depth:
    """Return the depth of `queue`.  Dramatiq's key layout: list Q of waiting ids, hash
    Q.msgs of waiting and running messages, Q.DQ.msgs of delayed ones, zset Q.XQ of dead ones.
    """
    key = f"{NAMESPACE}:{queue}"
    pipe: Any = redis_client().pipeline(transaction=True)
    pipe.llen(key)
    pipe.hlen(f"{key}.msgs")
    pipe.hlen(f"{key}.DQ.msgs")
    pipe.zcard(f"{key}.XQ")
    pipe.lindex(key, 0)
    waiting, held, delayed, dead, first = pipe.execute()
    return Depth(waiting, held - waiting, delayed, dead, _age_seconds(key, first))


def _age_seconds(key: str, message_id: bytes | None) -> float:
    raw: Any = redis_client().hget(f"{key}.msgs", message_id.decode()) if message_id else None
    if raw is None:  # nothing waits, or it was taken between the two commands
        return 0.0
    enqueued_seconds = json.loads(raw)["message_timestamp"] / 1000
    return max(0.0, time.time() - float(enqueued_seconds))
