"""What an operator does to jobs: cancel, promote, pause, resume."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.jobs import scripts
from pipeline.jobs.layout import PAUSED, of_queue
from pipeline.jobs.recovery import CANCELLED_JSON
from pipeline.queues import QUEUES
from pipeline.stores import redis_client


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of `scope` (such as `queue:graph`, `user:alice`) starts `until` then, or ever."""

    scope: str
    until: datetime | None
    reason: str
    by: str
    at: datetime


def cancel(message_id: str) -> str:
    """Cancel a job; return the state that it was in, or nothing if it is not known.

    A running one is asked to stop, within seconds if it runs Python code.
    """
    state: bytes = scripts.run("cancel", message_id, CANCELLED_JSON)
    return state.decode()


def promote(message_id: str) -> bool:
    """Let a delayed job start now; False if it is not delayed."""
    return bool(scripts.run("promote", message_id))


def forget(message_id: str) -> bool:
    """Drop a job that has ended from history, and from what becomes dead letters.

    False if it has not ended, or history does not have it.
    """
    return bool(scripts.run("forget", message_id))


def pause(
    scope: str, *, reason: str, by: str, until: datetime | None = None, keep_longer: bool = False
) -> bool:
    """Let nothing of `scope` start, until `until` or until it is resumed.

    `keep_longer` leaves a pause alone that ends later.  Returns whether it was set.
    """
    until_ms = None if until is None else round(until.timestamp() * 1000)
    described = json.dumps(
        {
            "until": until_ms,
            "reason": reason,
            "by": by,
            "at": round(datetime.now(UTC).timestamp() * 1000),
        }
    )
    end = "" if until_ms is None else until_ms
    answer: int = scripts.run("pause", scope, described, end, int(keep_longer))
    if answer == 2:
        _look_again(scope)
    return bool(answer)


def resume(scope: str) -> bool:
    """End the pause of `scope`; False if it was not paused."""
    ended = bool(redis_client().hdel(PAUSED, scope))
    # Even if it was not paused: who resumed it may have been killed before this.
    _look_again(scope)
    return ended


def pauses() -> list[Pause]:
    """Return the pauses that have not ended, in the order of their scopes."""
    found = []
    rows: Any = redis_client().hgetall(PAUSED)
    for scope, described in sorted(rows.items()):
        row = json.loads(described)
        until = None if row["until"] is None else _moment(row["until"])
        if until is None or until > datetime.now(UTC):
            found.append(Pause(scope.decode(), until, row["reason"], row["by"], _moment(row["at"])))
    return found


def _look_again(scope: str) -> None:
    """Have the closed lanes of `scope` looked at; what else closes them is found then."""
    for closed in (of_queue(queue, "closed") for queue in QUEUES):
        lanes: dict[bytes, float] = {}
        for member, _ in redis_client().zscan_iter(closed, count=1000):
            if scope in member[1:].decode().split("\n") or member.decode() == f"t{scope[7:]}":
                lanes[member] = 0
        if lanes:
            redis_client().zadd(closed, lanes, xx=True)


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
