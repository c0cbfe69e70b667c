"""How fast a sender's line moves: as many messages become jobs as it may send now.

What waits stays in MongoDB, in order of its due time; nothing is put off one by one.  The strict
count is taken by the job that sends: here it is only seen to that no more jobs are made than
there is room for.  Two at once for the same sender, as after a worker was lost, can make too many
jobs together: those find no room, and are due again when there is some.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING
from pymongo.cursor import Cursor

from models import Campaign, ScheduledAction, SenderIdentity, Tenant
from pipeline.config import settings
from pipeline.dispatch import send_many
from pipeline.errors import Gone, Permanent, Unfinished
from pipeline.jobs.reading import depth
from pipeline.jobs.sending import Send
from pipeline.outreach import actions, budgets, plans
from pipeline.outreach.promoting import SENDER_DUE, horizon, nudge_settling, seconds_until
from pipeline.queues import OUTREACH_SEND
from pipeline.quiet_hours import quiet_until
from pipeline.stores import Row, collection
from pipeline.words import counted

#: What is queued in one go, and for how long one job goes on: others wait for its worker thread.
MOST_AT_ONCE = 500
MOST_SECONDS = 1.0
#: What is due within this is queued, to be sent on the moment.
AHEAD = timedelta(seconds=1.5)
#: When to look again while jobs of this sender still run, or enough of all senders wait.
SOON = timedelta(seconds=1)
#: When to look again at what a paused campaign has left in the line.
LATER = timedelta(minutes=1)
_TURN = "its turn comes when its sender may send more"


@dataclass(slots=True)
class _Line:
    """A sender's line, and what this look at it came to."""

    sender: Row
    queued: int = 0
    put_off: int = 0
    again_at: datetime | None = None
    until: float = field(default_factory=lambda: time.monotonic() + MOST_SECONDS)

    @property
    def due(self) -> Row:
        """The query for what waits in it."""
        return {"sender_id": self.sender["_id"], "status": "pending", "kind": "send"}

    def look_again(self, at: datetime) -> None:
        """Have it looked at again, at the latest then."""
        self.again_at = min(at, self.again_at or at)


def pace(sender_id: str) -> str:
    """Queue as many of a sender's messages as it may send now, and look again when it may more.

    Raises Gone if there is no such sender, Unfinished to go on behind the others.
    """
    sender = collection(SenderIdentity).find_one({"_id": sender_id})
    if sender is None:
        raise Gone("there is no such sender")
    line = _Line(sender)
    tenant = collection(Tenant).find_one({"_id": sender["tenant_id"]})
    said = _hold(line, tenant, datetime.now(UTC)) or _move(line, tenant)
    _look_again(line)
    return said


def why_held(sender: Row, tenant: Row | None, now: datetime) -> str | None:
    """Return why a sender sends nothing at all now, or None."""
    if (tenant or {}).get("outreach_paused"):
        return "sending is paused for the whole tenant"
    if sender.get("is_paused"):
        return "its sender is paused"
    if sender["status"] != "verified":
        return f"its sender is {sender['status']}"
    if sender.get("hold_until") and sender["hold_until"] > now:
        return "the provider asked its sender to wait"
    return None


def _hold(line: _Line, tenant: Row | None, now: datetime) -> str | None:
    """Say of all that waits in a held line why it does; None if the line may move."""
    why = why_held(line.sender, tenant, now)
    if why is None:
        return None
    _say(line, why, now)
    hold_until = line.sender.get("hold_until")
    if hold_until and hold_until > now:
        line.look_again(hold_until)
    return f"held: {why}"


def _say(line: _Line, why: str, now: datetime) -> None:
    """Say why they wait of those that are next in the line: of all would take too long."""
    due = line.due | {"due_at": {"$lte": now}}
    first = _in_line(due, {"because": 1})
    others = [row["_id"] for row in first.limit(MOST_AT_ONCE) if row.get("because") != why]
    if others:
        collection(ScheduledAction).update_many(
            {"_id": {"$in": others}, "status": "pending"},
            {"$set": {"because": why, "updated_at": now}},
        )


def _move(line: _Line, tenant: Row | None) -> str:
    """Queue what there is room for, and say of the rest that it waits for its turn."""
    while (room := _room(line, tenant)) > 0:
        now = datetime.now(UTC)
        batch = _due(line, now, min(room, MOST_AT_ONCE))
        if not batch:
            _heed_next(line, now)
            break
        _queue(line, _ready(line, batch, now), now)
        if time.monotonic() >= line.until:
            raise Unfinished
    else:
        _say(line, _TURN, datetime.now(UTC))
    put_off = f", {line.put_off:,} put off" if line.put_off else ""
    return f"{counted(line.queued, 'message')} queued{put_off}"


def _room(line: _Line, tenant: Row | None) -> int:
    """Return how many jobs may be made now; if none, it is said when to look again."""
    now = datetime.now(UTC)
    if depth(OUTREACH_SEND.name).waiting >= settings().dispatch_high_water:
        line.look_again(now + SOON)
        return 0
    room = budgets.sender_room(line.sender, tenant)
    if room.units == 0:
        line.look_again(now + max(SOON, timedelta(seconds=room.wait_seconds)))
        return 0
    under_way = collection(ScheduledAction).count_documents(
        {"sender_id": line.sender["_id"], "status": "queued"}, limit=room.units
    )
    if under_way >= room.units:
        line.look_again(now + SOON)
    return room.units - under_way


def _due(line: _Line, now: datetime, limit: int) -> list[Row]:
    fields = {"campaign_id": 1, "due_at": 1, "tenant_id": 1, "data": 1}
    return list(_in_line(line.due | {"due_at": {"$lte": now + AHEAD}}, fields).limit(limit))


def _in_line(waits: Row, fields: Row) -> Cursor[Row]:
    """Find what waits in a line, in order.

    Left to itself MongoDB may look through the lines of all senders for it.
    """
    found = collection(ScheduledAction).find(waits, fields, hint=SENDER_DUE)
    return found.sort("due_at", ASCENDING)


def _ready(line: _Line, batch: Sequence[Row], now: datetime) -> list[Row]:
    """Return what may be sent now; the rest waits until it may."""
    ids = {row["campaign_id"] for row in batch}
    active = set(collection(Campaign).distinct("_id", {"_id": {"$in": [*ids]}, "status": "active"}))
    nudge_settling(sorted(ids - active))  # which takes theirs out of the line
    waits: dict[tuple[datetime, str], list[str]] = {}
    ready = []
    for row in batch:
        until = _quiet_until(row, now) if row["campaign_id"] in active else None
        if until is not None:
            waits.setdefault((until, "quiet hours"), []).append(row["_id"])
        elif row["campaign_id"] in active:
            ready.append(row)
        else:
            waits.setdefault((now + LATER, "its campaign is not active"), []).append(row["_id"])
    for (until, why), action_ids in waits.items():
        actions.put_back(action_ids, until, why, now)
        line.put_off += len(action_ids)
    return ready


def _quiet_until(row: Row, now: datetime) -> datetime | None:
    """Return when the quiet hours end in which a message would be sent now, if it would."""
    data = row["data"]
    plan = plans.stored(row["campaign_id"], data["plan_version"])
    try:
        return quiet_until(max(now, row["due_at"]), data["time_zone"], plan.quiet)
    except Permanent:  # a zone that is no more, of which its own job tells
        return None


def _queue(line: _Line, ready: Sequence[Row], now: datetime) -> None:
    if not ready:
        return
    collection(ScheduledAction).update_many(
        {"_id": {"$in": [row["_id"] for row in ready]}, "status": "pending"},
        {"$set": {"status": "queued", "queued_at": now, "updated_at": now}},
    )
    # One that was canceled meanwhile has a job that finds nothing to send.
    sender_id = line.sender["_id"]
    send_many(
        Send(
            "send_message",
            (row["_id"], sender_id),
            seconds_until(row["due_at"], now),
            row["tenant_id"],
        )
        for row in ready
    )
    line.queued += len(ready)


def _heed_next(line: _Line, now: datetime) -> None:
    """Look again shortly before the next one is due, if that is before the tick would."""
    soon = line.due | {"due_at": {"$lte": now + horizon()}}
    following = next(_in_line(soon, {"due_at": 1}).limit(1), None)
    if following is not None:
        line.look_again(max(now, following["due_at"] - SOON))


def _look_again(line: _Line) -> None:
    """Queue the next look, once for any second; a later nudge has its own job all the same."""
    if line.again_at is None:
        return
    sender_id = line.sender["_id"]
    wait_seconds = seconds_until(line.again_at, datetime.now(UTC))
    if wait_seconds > horizon().total_seconds():
        return  # the tick is there before
    job_id = f"pace_sender:{sender_id}:{round(line.again_at.timestamp())}"
    send_many([Send("pace_sender", (sender_id,), wait_seconds, job_id=job_id)])
