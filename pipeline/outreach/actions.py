"""What is scheduled for enrollments, brought in line with where they are.

What is to happen follows from the state alone, and its ids say for which state: what is missing
is made, what was canceled comes back, and what belongs to an older state is canceled.  What is
over stays over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pymongo import InsertOne, UpdateOne
from pymongo.client_session import ClientSession

from models import ScheduledAction
from models.outreach import ACTION_OPEN
from pipeline.config import settings
from pipeline.errors import Permanent
from pipeline.outreach import decisions
from pipeline.outreach.batches import Batch, Walk
from pipeline.outreach.stepping import position
from pipeline.quiet_hours import zone_of
from pipeline.stores import Row, collection

#: Messages of which it is open what became of them: a send of theirs is neither made nor canceled.
_UNDER_WAY = ("sending", "unknown", "failed")


@dataclass(slots=True)
class Wanted:
    """An action that an enrollment is to have.  `is_needed`: it is made if it is not there."""

    walk: Walk
    kind: str
    event: str = ""
    due_at: datetime | None = None
    because: str = ""
    is_needed: bool = True

    @property
    def id(self) -> str:
        """The id of the action: the same for the same state."""
        row = self.walk.row
        named = [row["_id"], row["node_id"], *filter(None, [self.event]), row["state_version"]]
        return ":".join([self.kind, *map(str, named)])


@dataclass(slots=True)
class Changes:
    """What is written to the actions, and which of them are new."""

    writes: list[InsertOne[Row] | UpdateOne] = field(default_factory=list)
    made: list[Row] = field(default_factory=list)


def wanted(walk: Walk) -> list[Wanted]:
    """Return what is to happen to an enrollment where it is."""
    if not walk.moves:
        return []
    node = walk.plan.node(walk.row["node_id"])
    if node.action == "send" and not walk.row.get("sent_at"):
        message = walk.messages.get(node.id)
        return [Wanted(walk, "send", is_needed=not message or message["state"] not in _UNDER_WAY)]
    due = decisions.timers(walk.plan, position(walk), walk.facts)
    return [Wanted(walk, "timeout", one.event, one.due_at, one.because) for one in due]


def changes(session: ClientSession, batch: Batch, now: datetime) -> Changes:
    """Return what is to be written so that the enrollments have what they are to have."""
    planned = {one.id: one for walk in batch.walks for one in wanted(walk)}
    there = _there(session, batch.ids, planned)
    done = Changes()
    for action_id, action in there.items():
        if action_id not in planned and action["status"] in ACTION_OPEN:
            done.writes.append(UpdateOne({"_id": action_id}, _canceled(now)))
    missing = [one for one in planned.values() if _is_missing(one, there.get(one.id))]
    sends = [one for one in missing if one.kind == "send"]
    batch.read_contacts(session, {one.walk.row["contact_id"] for one in sends})
    for one in missing:
        _make(one, _row(batch, one, now), there, done)
    done.writes += _corrections(planned, there, now)
    return done


def over(status: str, now: datetime, because: str = "") -> Row:
    """Return what is set of an action that is over: it is kept for a while."""
    kept = timedelta(days=settings().outreach_action_retention_days)
    fresh: Row = {"status": status, "updated_at": now, "expires_at": now + kept}
    return fresh | ({"because": because} if because else {})


def put_back(
    action_ids: Iterable[str],
    due_at: datetime,
    because: str,
    now: datetime,
    session: ClientSession | None = None,
    *,
    time_zone: str = "",
) -> int:
    """Have actions that wait or are queued wait until `due_at`, and say why; return how many do.

    `time_zone` is that of their contacts, if it is another by now.
    """
    fresh: Row = {"status": "pending", "due_at": due_at, "because": because, "updated_at": now}
    fresh |= {"data.time_zone": time_zone} if time_zone else {}
    done = collection(ScheduledAction).update_many(
        {"_id": {"$in": list(action_ids)}, "status": {"$in": list(ACTION_OPEN)}},
        {"$set": fresh, "$unset": {"queued_at": ""}},
        session=session,
    )
    return done.matched_count


def _there(
    session: ClientSession, enrollment_ids: list[str], planned: Iterable[str]
) -> dict[str, Row]:
    """Return the open actions of enrollments, and those of the ids `planned`."""
    open_ones = {"enrollment_id": {"$in": enrollment_ids}, "status": {"$in": list(ACTION_OPEN)}}
    either = {"$or": [open_ones, {"_id": {"$in": list(planned)}}]}
    fields = {"status": 1, "due_at": 1, "kind": 1, "sender_id": 1}
    found = collection(ScheduledAction).find(either, fields, session=session)
    return {str(row["_id"]): row for row in found}


def _is_missing(one: Wanted, action: Row | None) -> bool:
    return one.is_needed and (action is None or action["status"] == "canceled")


def _make(one: Wanted, row: Row, there: dict[str, Row], done: Changes) -> None:
    """Add an action, or take one up again that was canceled in the same state."""
    done.made.append(row)
    if one.id not in there:
        done.writes.append(InsertOne(row))
        return
    again = {name: value for name, value in row.items() if name not in ("_id", "created_at")}
    gone = {"$unset": {"queued_at": "", "expires_at": ""}}
    done.writes.append(UpdateOne({"_id": one.id}, {"$set": again} | gone))


def _corrections(
    planned: dict[str, Wanted], there: dict[str, Row], now: datetime
) -> list[UpdateOne]:
    """Return what is to be put right of open actions: another deadline, another sender."""
    writes = []
    for action_id, one in planned.items():
        action = there.get(action_id)
        if action is None or action["status"] not in ACTION_OPEN:
            continue
        right = {"due_at": one.due_at} if one.kind == "timeout" else {"sender_id": _sender(one)}
        if any(action.get(name) != value for name, value in right.items()):
            writes.append(UpdateOne({"_id": action_id}, {"$set": right | {"updated_at": now}}))
    return writes


def _canceled(now: datetime) -> Row:
    return {"$set": over("canceled", now, "the contact is not there any more, or may not go on")}


def _row(batch: Batch, one: Wanted, now: datetime) -> Row:
    row = one.walk.row
    common = {name: row[name] for name in ("tenant_id", "campaign_id", "contact_id", "node_id")}
    common |= {
        "_id": one.id,
        "enrollment_id": row["_id"],
        "kind": one.kind,
        "state_version": row["state_version"],
        "status": "pending",
        "attempts": 0,
        "created_at": now,
        "updated_at": now,
    }
    if one.kind == "send":
        return common | _send(batch, one, now)
    times = {"due_at": one.due_at, "planned_at": one.due_at, "because": one.because}
    return common | times | {"event": one.event}


def _send(batch: Batch, one: Wanted, now: datetime) -> Row:
    """Return what a send has beside what any action has."""
    walk = one.walk
    node, contact = walk.plan.node(walk.row["node_id"]), batch.contact(walk) or {}
    zone = _zone(contact, walk)
    planned = decisions.send_time(walk.plan, node, walk.row["node_entered_at"], zone, now)
    domain = (contact.get("email") or "").rpartition("@")[2] if node.channel == "email" else ""
    return {
        "channel": node.channel,
        "sender_id": _sender(one),
        "domain": domain or None,
        "due_at": planned.due_at,
        "planned_at": planned.planned_at,
        "because": planned.because,
        # What tells whether it is quiet where the contact is.
        "data": {"plan_version": walk.row["plan_version"], "time_zone": zone},
    }


def _zone(contact: Row, walk: Walk) -> str:
    """Return the zone of a contact; the plan's if it has none, or one that is no more."""
    try:
        return zone_of(contact.get("time_zone") or walk.plan.time_zone).key
    except Permanent:
        return walk.plan.time_zone


def _sender(one: Wanted) -> str:
    channel = one.walk.plan.node(one.walk.row["node_id"]).channel
    return str(one.walk.campaign.get(f"{channel}_sender_id") or "")
