"""Ticks: the job of a schedule, sent once for each moment, however many schedulers there are."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.dispatch import send
from pipeline.jobs.controls import pauses
from pipeline.jobs.sending import Sent
from pipeline.schedules import Schedule
from pipeline.stores import redis_client

#: Redis hash: name of a schedule -> its newest tick, as JSON.
LAST = "headrace:schedules:last"

#: Keeps the newest tick of a schedule, and of two senders of the same the one that sent it.
_NOTE = """
local last = redis.call('HGET', KEYS[1], ARGV[1])
local slot = last and cjson.decode(last).slot or ''
if slot > ARGV[2] or (slot == ARGV[2] and ARGV[4] == '0') then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Tick:
    """The newest tick of a schedule: for which moment, when it was sent, as what, by whom."""

    slot: datetime
    sent_at: datetime
    message_id: str
    by: str


def scope_of(schedule: Schedule) -> str:
    """Return the scope whose pause silences `schedule`."""
    return f"schedule:{schedule.name}"


def send_tick(schedule: Schedule, slot: datetime) -> Sent:
    """Send the job of `schedule` for the tick at `slot`, unless that was done before.

    Mark and job are written in one step: nobody can die between them.  Safe to
    repeat after an error that left open whether it was sent.  Nothing is sent
    while the schedule is paused.  Raises RedisError.
    """
    if any(pause.scope == scope_of(schedule) for pause in pauses()):
        return Sent("", "", created=False)
    moment = _iso(slot)
    sent = send(schedule.job, once=f"tick:{schedule.name}:{moment}")
    tick = {
        "slot": moment,
        "sent_at": _iso(datetime.now(UTC)),
        "message_id": sent.message_id,
        "by": f"{socket.gethostname()}:{os.getpid()}",
    }
    args = (schedule.name, moment, json.dumps(tick), int(sent.created))
    redis_client().eval(_NOTE, 1, LAST, *args)
    return sent


def last_ticks() -> dict[str, Tick]:
    """Return the newest tick of every schedule that has had one."""
    found: Any = redis_client().hgetall(LAST)
    return {name.decode(): _tick(json.loads(text)) for name, text in found.items()}


def _tick(stored: dict[str, str]) -> Tick:
    return Tick(
        slot=datetime.fromisoformat(stored["slot"]),
        sent_at=datetime.fromisoformat(stored["sent_at"]),
        message_id=stored["message_id"],
        by=stored["by"],
    )


def _iso(moment: datetime) -> str:
    """Return `moment` so that later ones sort behind earlier ones as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
